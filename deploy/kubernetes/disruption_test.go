package kubernetes_test

import (
	"testing"

	policy "k8s.io/api/policy/v1"
)

// No drain waits for a round: no producer is ready while one is postponed. A drain waits for a
// NATS server that catches up, because the next one to go would be one too many.
func TestDrainsWaitForNATSAlone(t *testing.T) {
	t.Parallel()
	each(t, func(m *manifests) {
		t := m.t
		seen := false
		for _, b := range m.budgets {
			always := b.Spec.UnhealthyPodEvictionPolicy != nil && *b.Spec.UnhealthyPodEvictionPolicy == policy.AlwaysAllow
			for _, w := range m.selected(b.Spec.Selector.MatchLabels) {
				producers := w.product() == "producer.serve"
				seen = seen || producers
				if always != producers {
					t.Errorf("budget %s of %s: its pods may be evicted while they are not ready: %t, want %t", b.Name, w.name, always, producers)
				}
			}
		}
		if !seen {
			t.Error("the producers have no budget")
		}
	})
}
