package kubernetes_test

import (
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
)

func yes(b *bool) bool { return b != nil && *b }
func no(b *bool) bool  { return b != nil && !*b }

// A container has no rights that it does not need: Kubernetes' standard "restricted" and more.
func TestContainersAreConfined(t *testing.T) {
	t.Parallel()
	each(t, func(m *manifests) {
		t := m.t
		if m.namespace.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
			t.Errorf("the namespace enforces %v, want restricted", m.namespace.Labels)
		}
		for _, w := range m.workloads {
			s := &w.pod.Spec
			if len(s.Containers) != 1 || len(s.InitContainers)+len(s.EphemeralContainers) > 0 {
				t.Fatalf("%s: %d containers, want one that these tests look at", w.name, len(s.Containers))
			}
			p, c := s.SecurityContext, w.container().SecurityContext
			for what, holds := range map[string]bool{
				"runs as a user that is not root":   yes(p.RunAsNonRoot) && p.RunAsUser != nil && *p.RunAsUser > 0 && p.RunAsGroup != nil && *p.RunAsGroup > 0,
				"has the runtime's seccomp profile": p.SeccompProfile != nil && p.SeccompProfile.Type == core.SeccompProfileTypeRuntimeDefault,
				"shares nothing with its node":      !s.HostNetwork && !s.HostPID && !s.HostIPC,
				"has no token of the cluster":       no(s.AutomountServiceAccountToken),
				"cannot write its image":            yes(c.ReadOnlyRootFilesystem),
				"gets no new privileges":            no(c.AllowPrivilegeEscalation) && no(c.Privileged),
				"has no capability":                 slices.Equal(c.Capabilities.Drop, []core.Capability{"ALL"}) && len(c.Capabilities.Add) == 0,
				"has nothing of the node mounted":   !slices.ContainsFunc(s.Volumes, func(v core.Volume) bool { return v.HostPath != nil }),
			} {
				if !holds {
					t.Errorf("%s: it is not so that it %s", w.name, what)
				}
			}
		}
	})
}

// Memory has a bound, the scheduler knows what a pod needs, and a processor is never taken away:
// a limit of it would make heartbeats late.
func TestContainersHaveResources(t *testing.T) {
	t.Parallel()
	each(t, func(m *manifests) {
		t := m.t
		for _, w := range m.workloads {
			r := w.container().Resources
			if r.Requests.Cpu().IsZero() || r.Requests.Memory().IsZero() || r.Limits.Memory().Cmp(*r.Requests.Memory()) < 0 || !r.Limits.Cpu().IsZero() {
				t.Errorf("%s: requests %v and limits %v, want both requests and a limit of memory alone", w.name, r.Requests, r.Limits)
			}
			for _, v := range w.pod.Spec.Volumes {
				if v.EmptyDir != nil && v.EmptyDir.SizeLimit == nil {
					t.Errorf("%s: volume %s has no bound", w.name, v.Name)
				}
			}
		}
	})
}

// A liveness probe looks at the process alone: a restart brings no server back, and would lose
// the process's work. Readiness looks at what the process needs.
func TestProbesMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	each(t, func(m *manifests) {
		t := m.t
		for _, w := range m.workloads {
			c := w.container()
			if !w.runs() {
				continue
			}
			if c.LivenessProbe == nil || c.ReadinessProbe == nil {
				t.Fatalf("%s lacks a probe", w.name)
			}
			if patience := c.LivenessProbe.PeriodSeconds * c.LivenessProbe.FailureThreshold; patience < 60 {
				t.Errorf("%s is killed after %d s of silence, want a minute at least: a busy node may take as long", w.name, patience)
			}
			if w.product() == "" {
				continue
			}
			for probe, path := range map[*core.Probe]string{c.StartupProbe: "/healthz", c.LivenessProbe: "/healthz", c.ReadinessProbe: "/readyz"} {
				if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port.StrVal != "health" {
					t.Errorf("%s: probe %+v, want %s of its port health", w.name, probe, path)
				}
			}
			if !slices.Contains(c.Command, "--listen=:9464") || portOf(c, "health") != 9464 {
				t.Errorf("%s: %v and ports %v, want health pages on 9464", w.name, c.Command, c.Ports)
			}
		}
	})
}

// portOf is the number of a container's port; 0 for none.
func portOf(c *core.Container, name string) int32 {
	for _, p := range c.Ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	return 0
}

// A process has the time that its drain takes, and some to spare.
func TestDrainsHaveTheirTime(t *testing.T) {
	t.Parallel()
	// docs/settings.md: --grace of a worker, --drain of the gateway; lame_duck of settings.conf.
	drains := map[string]int64{"worker": 20, "mirrorgate": 30, "producer.serve": 10}
	each(t, func(m *manifests) {
		t := m.t
		for _, w := range m.workloads {
			need := drains[w.product()]
			if w.container().Lifecycle != nil {
				need = 35
			}
			if got := w.pod.Spec.TerminationGracePeriodSeconds; got == nil || *got < need+5 {
				t.Errorf("%s: it is killed after %v s, its drain takes up to %d", w.name, got, need)
			}
		}
	})
}

// Images are those of the compose file, and the product's own by the name that an overlay sets.
func TestImages(t *testing.T) {
	t.Parallel()
	compose := file(t, "deploy/compose.yaml")
	each(t, func(m *manifests) {
		t := m.t
		for _, w := range m.workloads {
			name, _, _ := strings.Cut(w.container().Image, ":")
			if (name == "mirrorfleet") != (w.product() != "") || w.product() == "" && !strings.Contains(compose, "image: "+w.container().Image) {
				t.Errorf("%s: image %s, want that of deploy/compose.yaml", w.name, w.container().Image)
			}
		}
	})
}

// No secret stands in a manifest: passwords come from Secrets, as files that others cannot read,
// and for NATS and Redis by name in their environment.
func TestSecretsStayInSecrets(t *testing.T) {
	t.Parallel()
	install := file(t, "docs/install.md")
	each(t, func(m *manifests) {
		t := m.t
		for _, w := range m.workloads {
			c := w.container()
			texts := slices.Concat(c.Command, c.Args)
			for name, value := range m.environment(t, c) {
				texts = append(texts, value)
				ref, secret := strings.CutPrefix(value, "secret ")
				if strings.HasSuffix(name, "_PASSWORD") && !secret {
					t.Errorf("%s: %s does not come from a Secret", w.name, name)
				}
				if secret {
					documented(t, install, ref)
				}
			}
			for _, text := range texts {
				for url := range strings.SplitSeq(text, ",") {
					_, rest, is := strings.Cut(url, "://")
					user, _, at := strings.Cut(rest, "@")
					if is && at && strings.Contains(user, ":") && !strings.HasSuffix(user, ":$(NATS_ROUTE_PASSWORD)") {
						t.Errorf("%s: a password in %s", w.name, url)
					}
				}
			}
			for _, v := range w.pod.Spec.Volumes {
				if v.Secret == nil {
					continue
				}
				if *v.Secret.DefaultMode != 0o440 || w.pod.Spec.SecurityContext.FSGroup == nil {
					t.Errorf("%s: Secret %s has mode %o and group %v, want 0440 and one", w.name, v.Secret.SecretName, *v.Secret.DefaultMode,
						w.pod.Spec.SecurityContext.FSGroup)
				}
				for _, item := range v.Secret.Items {
					documented(t, install, v.Secret.SecretName+"/"+item.Key)
					if !strings.HasSuffix(item.Key, "-"+roles[w.product()]) {
						t.Errorf("%s has the password %s, want that of the %s alone", w.name, item.Key, roles[w.product()])
					}
				}
			}
		}
	})
}

// documented checks that docs/install.md says how to make a key of a Secret.
func documented(t *testing.T, install, ref string) {
	t.Helper()
	secret, key, _ := strings.Cut(ref, "/")
	if !strings.Contains(install, "generic "+secret+" ") || !strings.Contains(install, key) {
		t.Errorf("docs/install.md does not make the key %s of the Secret %s", key, secret)
	}
}
