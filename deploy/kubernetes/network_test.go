package kubernetes_test

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	network "k8s.io/api/networking/v1"
)

// end is one side of a connection: a pod by its labels and its namespace's, or an address.
type end struct {
	name      string
	labels    map[string]string
	namespace map[string]string // nil: the fleet's own
	address   string            // of what is no pod of the cluster
}

// others are what stands outside the fleet.
var others = []end{
	{name: "dns", labels: map[string]string{"k8s-app": "kube-dns"}, namespace: map[string]string{"kubernetes.io/metadata.name": "kube-system"}},
	{name: "prometheus", labels: map[string]string{"app": "prometheus"}, namespace: map[string]string{"kubernetes.io/metadata.name": "monitoring"}},
	{name: "validator", labels: map[string]string{"mirrorfleet-api": "yes", "mirrorfleet-gateway": "yes"},
		namespace: map[string]string{"mirrorfleet-api": "yes", "mirrorfleet-gateway": "yes"}},
	{name: "pretender", labels: map[string]string{"mirrorfleet-api": "yes", "mirrorfleet-gateway": "yes"}, namespace: map[string]string{"x": "y"}},
	{name: "stranger", labels: map[string]string{"app": "x"}, namespace: map[string]string{"x": "y"}},
	{name: "internet", address: "198.51.100.7"}, {name: "internet6", address: "2606:4700::7"},
	{name: "private", address: "10.1.2.3"}, {name: "metadata", address: "169.254.169.254"}, {name: "managed", address: "192.0.2.7"},
}

// ports are all that anything of the fleet listens on, and what a process asks for outside.
var ports = []int32{53, 80, 443, 4222, 6222, 6379, 6380, 8222, 8440, 8460, 9464}

// The policies let through every connection that the fleet needs, and no other.
func TestWhoMayTalkToWhom(t *testing.T) {
	t.Parallel()
	base := []string{
		"producer-nats:4222", "worker-nats:4222", "producer-redis:6379", "worker-redis:6379", "gateway-redis:6379",
		"validator-producer:8440", "validator-gateway:8460",
	}
	managed := []string{"validator-producer:8440", "validator-gateway:8460"}
	for _, app := range []string{"producer", "worker", "gateway"} {
		for _, always := range []string{app + "-dns:53", app + "-internet:443", app + "-internet6:443", app + "-managed:443", "prometheus-" + app + ":9464"} {
			base, managed = append(base, always), append(managed, always)
		}
		managed = append(managed, app+"-managed:6380")
	}
	managed = append(managed, "producer-managed:4222", "worker-managed:4222")
	wants := map[string][]string{
		"base": base, "testdata/inputs-volume": base, "testdata/managed-servers": managed,
		"overlays/two-egresses":   append(slices.Clone(base), "nats-nats:6222", "nats-dns:53"),
		"testdata/backup":         append(slices.Clone(base), "backup-dns:53", "backup-nats:4222"),
		"testdata/managed-backup": append(slices.Clone(managed), "backup-dns:53", "backup-managed:4222"),
	}
	for _, variant := range variants {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			got := read(t, variant).connections(t)
			for _, want := range wants[variant] {
				if !got[want] {
					t.Errorf("%s is needed and does not pass", want)
				}
				delete(got, want)
			}
			for _, more := range slices.Sorted(maps.Keys(got)) {
				t.Errorf("%s passes and is not needed", more)
			}
		})
	}
}

// connections are all that pass between a pod of the fleet and anything else.
func (m *manifests) connections(t *testing.T) map[string]bool {
	t.Helper()
	ends := slices.Clone(others)
	for _, w := range m.workloads {
		ends = append(ends, end{name: w.pod.Labels["app"], labels: w.pod.Labels})
	}
	passes := map[string]bool{}
	for _, from := range ends {
		for _, to := range ends {
			for _, port := range ports {
				inside := func(e end) bool { return e.namespace == nil && e.address == "" }
				if (inside(from) || inside(to)) && m.leaves(t, from, to, port) && m.enters(t, from, to, port) {
					passes[from.name+"-"+to.name+":"+strconv.Itoa(int(port))] = true
				}
			}
		}
	}
	return passes
}

// leaves says whether the client's policies let a connection out. No policy of the fleet is
// over what stands outside it.
func (m *manifests) leaves(t *testing.T, from, to end, port int32) bool {
	t.Helper()
	governed := false
	for _, p := range m.policies {
		if from.namespace != nil || from.address != "" || !matches(t, &p.Spec.PodSelector, from.labels) ||
			!slices.Contains(p.Spec.PolicyTypes, network.PolicyTypeEgress) {
			continue
		}
		governed = true
		for _, rule := range p.Spec.Egress {
			if named(rule.Ports, port) && slices.ContainsFunc(rule.To, func(peer network.NetworkPolicyPeer) bool { return is(t, peer, to) }) {
				return true
			}
		}
	}
	return !governed
}

func (m *manifests) enters(t *testing.T, from, to end, port int32) bool {
	t.Helper()
	governed := false
	for _, p := range m.policies {
		if to.namespace != nil || to.address != "" || !matches(t, &p.Spec.PodSelector, to.labels) ||
			!slices.Contains(p.Spec.PolicyTypes, network.PolicyTypeIngress) {
			continue
		}
		governed = true
		for _, rule := range p.Spec.Ingress {
			if named(rule.Ports, port) && slices.ContainsFunc(rule.From, func(peer network.NetworkPolicyPeer) bool { return is(t, peer, from) }) {
				return true
			}
		}
	}
	return !governed
}

// named says whether a rule names a port. One without ports would name all.
func named(all []network.NetworkPolicyPort, port int32) bool {
	return len(all) == 0 || slices.ContainsFunc(all, func(p network.NetworkPolicyPort) bool { return p.Port.IntVal == port })
}

// is says whether a rule's peer is this end.
func is(t *testing.T, peer network.NetworkPolicyPeer, e end) bool {
	t.Helper()
	if peer.IPBlock != nil {
		if e.address == "" {
			return false
		}
		address := netip.MustParseAddr(e.address)
		in := func(cidr string) bool { return netip.MustParsePrefix(cidr).Contains(address) }
		return in(peer.IPBlock.CIDR) && !slices.ContainsFunc(peer.IPBlock.Except, in)
	}
	if e.address != "" || peer.NamespaceSelector == nil && e.namespace != nil ||
		peer.NamespaceSelector != nil && !matches(t, peer.NamespaceSelector, e.namespace) {
		return false
	}
	return peer.PodSelector == nil || matches(t, peer.PodSelector, e.labels)
}
