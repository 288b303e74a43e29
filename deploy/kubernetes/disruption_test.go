package kubernetes_test

import (
	"slices"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
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
			if n := len(m.selected(b.Spec.Selector.MatchLabels)); n != 1 {
				t.Errorf("budget %s takes the pods of %d workloads, want one", b.Name, n)
			}
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

// A NATS server that starts while the others are away waits for them, however long that takes. It
// has started when it has caught up: the probe asks the whole page, because a rolling restart
// takes the next server then.
func TestAStartingNATSOutlastsAnOutage(t *testing.T) {
	t.Parallel()
	const outage = 7 * 24 * time.Hour
	each(t, func(m *manifests) {
		t := m.t
		for _, w := range m.workloads {
			if w.pod.Labels["app"] != "nats" {
				continue
			}
			p := w.container().StartupProbe
			if p == nil || p.Exec == nil || !slices.Contains(p.Exec.Command, "http://127.0.0.1:8222/healthz") {
				t.Fatalf("%s: startup probe %+v, want one of the page /healthz", w.name, p)
			}
			if patience := time.Duration(p.PeriodSeconds) * time.Duration(p.FailureThreshold) * time.Second; patience < outage {
				t.Errorf("%s is killed %s after its start, want %s at least: the others may be away", w.name, patience, outage)
			}
		}
	})
}

// Three NATS servers are on three nodes, also when only two nodes are free, and go one by one:
// while one node is away, two servers are left.
func TestServersOfAClusterAreOnNodesOfTheirOwn(t *testing.T) {
	t.Parallel()
	each(t, func(m *manifests) {
		t := m.t
		budgets := map[string]bool{}
		for _, b := range m.budgets {
			for _, w := range m.selected(b.Spec.Selector.MatchLabels) {
				budgets[w.name] = b.Spec.MaxUnavailable.IntValue() == 1 && w.replicas > 1
			}
		}
		for _, w := range m.workloads {
			if w.pod.Labels["app"] != "nats" || w.replicas == 1 {
				continue
			}
			if w.replicas != 3 || !budgets[w.name] || !m.apart(&w) {
				t.Errorf("%s: %d servers, budget %t, spread %+v", w.name, w.replicas, budgets[w.name], w.pod.Spec.TopologySpreadConstraints)
			}
		}
	})
}

// apart says whether no two pods of a workload can be on one node. With fewer nodes than
// minDomains the scheduler counts a node without any, so that maxSkew refuses a second pod.
func (m *manifests) apart(w *workload) bool {
	return slices.ContainsFunc(w.pod.Spec.TopologySpreadConstraints, func(s core.TopologySpreadConstraint) bool {
		return s.TopologyKey == core.LabelHostname && s.WhenUnsatisfiable == core.DoNotSchedule && s.MaxSkew == 1 &&
			s.MinDomains != nil && *s.MinDomains >= w.replicas && matches(m.t, s.LabelSelector, w.pod.Labels)
	})
}
