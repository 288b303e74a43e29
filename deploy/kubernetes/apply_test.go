package kubernetes_test

import (
	"reflect"
	"testing"
)

// A fleet goes from one variant to another by applying it: no workload of the same name has
// another selector or other claims, because Kubernetes refuses to change them. (Guards against
// workers whose selector had the name of their egress.)
func TestAVariantCanBeAppliedOverAnother(t *testing.T) {
	t.Parallel()
	each(t, func(m *manifests) {
		for _, from := range variants {
			for _, old := range read(m.t, from).workloads {
				for _, w := range m.workloads {
					if w.kind != old.kind || w.name != old.name {
						continue
					}
					if !reflect.DeepEqual(w.selector, old.selector) || !reflect.DeepEqual(w.claims, old.claims) {
						m.t.Errorf("%s %s: selector %v and claims %v, and in %s %v and %v: they cannot be changed",
							w.kind, w.name, w.selector.MatchLabels, w.claims, from, old.selector.MatchLabels, old.claims)
					}
				}
			}
		}
	})
}

// With several egresses, a pod that sends to the mirror has the label of its egress, by which a
// network gives it an address, and is on a node with that address.
func TestPodsAreAtTheirEgress(t *testing.T) {
	t.Parallel()
	m, seen := read(t, "overlays/two-egresses"), map[string]bool{}
	for _, w := range m.workloads {
		if w.product() == "" {
			continue
		}
		egress := m.environment(t, w.container())["MIRRORFLEET_EGRESS"]
		label, node := w.pod.Labels["egress"], w.pod.Spec.NodeSelector["mirrorfleet-egress"]
		if egress == "" || label != egress || node != egress {
			t.Errorf("%s sends as %q, has the label %q, and is on nodes of %q", w.name, egress, label, node)
		}
		seen[w.name+" "+egress] = true
	}
	for _, want := range []string{"worker eu-1", "worker-eu-2 eu-2", "producer eu-1", "gateway eu-1"} {
		if !seen[want] {
			t.Errorf("no %s among %v", want, seen)
		}
	}
}
