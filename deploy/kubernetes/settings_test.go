package kubernetes_test

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
)

// roles are the users of NATS and Redis by the command.
var roles = map[string]string{
	"producer.serve": "producer", "producer.backup": "producer", "producer.restore": "producer", "worker": "worker", "mirrorgate": "worker",
}

// Every flag and every variable is one of its command, by the record that the product's own
// tests keep of them.
func TestSettingsExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, name := range []string{"producer", "worker", "mirrorgate"} {
		for line := range strings.Lines(file(t, "shared/command/settings/"+name+".txt")) {
			if words := strings.Fields(line); len(words) == 3 {
				known[words[0]+" --"+words[1]] = true
				known["MIRRORFLEET_"+strings.ToUpper(strings.ReplaceAll(words[2], "-", "_"))] = true
			}
		}
	}
	each(t, func(m *manifests) {
		t := m.t
		for _, w := range m.workloads {
			if w.product() == "" {
				continue
			}
			for _, word := range w.container().Command {
				if flag, _, _ := strings.Cut(word, "="); strings.HasPrefix(flag, "--") && !known[w.product()+" "+flag] {
					t.Errorf("%s: %s has no %s", w.name, w.product(), flag)
				}
			}
			for name := range m.environment(t, w.container()) {
				if !known[name] {
					t.Errorf("%s: no command knows %s", w.name, name)
				}
			}
		}
	})
}

// Files that settings name are mounted, NATS stores on its volume, and nothing else is written
// but what has a folder of its own.
func TestFilesAreMounted(t *testing.T) {
	t.Parallel()
	each(t, func(m *manifests) {
		t := m.t
		for _, w := range m.workloads {
			c := w.container()
			volumes := map[string]bool{}
			for _, v := range w.pod.Spec.Volumes {
				volumes[v.Name] = true
			}
			for _, claim := range w.claims {
				volumes[claim.Name] = true
			}
			for _, mount := range c.VolumeMounts {
				if !volumes[mount.Name] {
					t.Errorf("%s mounts %s, which it has not", w.name, mount.Name)
				}
			}
			paths := slices.Collect(maps.Values(m.environment(t, c)))
			for _, word := range c.Command {
				if _, value, ok := strings.Cut(word, "="); ok {
					word = value
				}
				paths = append(paths, word)
			}
			for _, path := range paths {
				if strings.HasPrefix(path, "/") && !slices.ContainsFunc(c.VolumeMounts, func(v core.VolumeMount) bool { return strings.HasPrefix(path+"/", v.MountPath+"/") }) {
					t.Errorf("%s: %s is on no volume", w.name, path)
				}
			}
		}
	})
}

// Each address of NATS and Redis is that of a Service, or of a pod below one; users are those
// of the role; and no stream has more copies than there are servers.
func TestAddressesLeadSomewhere(t *testing.T) {
	t.Parallel()
	each(t, func(m *manifests) {
		t := m.t
		hosts, servers := m.hosts(), int32(0)
		for _, w := range m.workloads {
			if w.pod.Labels["app"] == "nats" {
				servers = w.replicas
			}
		}
		for _, w := range m.workloads {
			env := m.environment(t, w.container())
			if copies, err := strconv.Atoi(env["MIRRORFLEET_REPLICAS"]); err == nil && servers > 0 && int32(copies) > servers {
				t.Errorf("%s wants %d copies of %d NATS servers", w.name, copies, servers)
			}
			for _, name := range []string{"MIRRORFLEET_NATS", "MIRRORFLEET_REDIS", "NATS_ROUTE_1", "NATS_ROUTE_2", "NATS_ROUTE_3"} {
				for _, text := range strings.FieldsFunc(env[name], func(r rune) bool { return r == ',' }) {
					u, err := url.Parse(strings.ReplaceAll(text, "$(NATS_ROUTE_PASSWORD)", "x"))
					must(t, text, err)
					if !hosts[u.Host] && !strings.HasSuffix(u.Hostname(), ".example.internal") {
						t.Errorf("%s: %s of %s leads nowhere; there are %v", w.name, u.Host, name, hosts)
					}
					if role := roles[w.product()]; role != "" && u.User.Username() != role {
						t.Errorf("%s logs in at %s as %s, want %s", w.name, u.Host, u.User.Username(), role)
					}
				}
			}
		}
	})
}

// hosts are the addresses inside the namespace: services, and pods of stateful sets.
func (m *manifests) hosts() map[string]bool {
	hosts := map[string]bool{}
	for _, s := range m.services {
		for _, p := range s.Spec.Ports {
			port := ":" + strconv.Itoa(int(p.Port))
			hosts[s.Name+port] = true
			for _, w := range m.workloads {
				for i := range w.replicas {
					if w.kind == "StatefulSet" {
						hosts[w.name+"-"+strconv.Itoa(int(i))+"."+s.Name+port] = true
					}
				}
			}
		}
	}
	return hosts
}

// A workload's selector takes its own pods and no other's; each service takes the pods of one
// workload, whose ports it names.
func TestSelectorsAreDistinct(t *testing.T) {
	t.Parallel()
	each(t, func(m *manifests) {
		t := m.t
		for _, w := range m.workloads {
			for _, other := range m.workloads {
				if w.runs() && matches(t, w.selector, other.pod.Labels) != (w.name == other.name) {
					t.Errorf("%s %s: its selector %v and the pods of %s", w.kind, w.name, w.selector.MatchLabels, other.name)
				}
			}
		}
		for _, s := range m.services {
			found := m.selected(s.Spec.Selector)
			if len(found) != 1 {
				t.Fatalf("service %s takes the pods of %d workloads", s.Name, len(found))
			}
			for _, p := range s.Spec.Ports {
				if portOf(found[0].container(), p.TargetPort.StrVal) != p.Port {
					t.Errorf("service %s: port %s is none of %v", s.Name, p.TargetPort.StrVal, found[0].container().Ports)
				}
			}
		}
	})
}

// selected are the workloads whose pods have these labels.
func (m *manifests) selected(labels map[string]string) (found []*workload) {
	for i := range m.workloads {
		has := true
		for key, value := range labels {
			has = has && m.workloads[i].pod.Labels[key] == value
		}
		if has {
			found = append(found, &m.workloads[i])
		}
	}
	return found
}

// The settings of NATS and Redis are the shipped files, byte for byte.
func TestOneSourceOfSettings(t *testing.T) {
	t.Parallel()
	each(t, func(m *manifests) {
		t := m.t
		seen := 0
		for name, data := range m.configs {
			folder, _, is := strings.Cut(name, "-config-")
			if !is {
				continue
			}
			for key, text := range data {
				seen++
				if text != file(t, "deploy/"+folder+"/"+key) {
					t.Errorf("%s of %s is not deploy/%s/%s", key, name, folder, key)
				}
			}
		}
		if seen != 6 {
			t.Errorf("%d files, want those of NATS and Redis", seen)
		}
	})
}

// A server that has run alone removes its streams when it starts with a cluster's settings: so
// the servers of a cluster have volumes of their own.
func TestAClusterHasItsOwnVolumes(t *testing.T) {
	t.Parallel()
	volumes := func(variant string) (names []string) {
		for _, w := range read(t, variant).workloads {
			for _, claim := range w.claims {
				for i := range w.replicas {
					names = append(names, claim.Name+"-"+w.name+"-"+strconv.Itoa(int(i)))
				}
			}
		}
		return names
	}
	one, three := volumes("base"), volumes("overlays/two-egresses")
	if len(one) != 1 || len(three) != 3 || slices.Contains(three, one[0]) {
		t.Errorf("one server on %v, three on %v", one, three)
	}
}
