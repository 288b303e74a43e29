package loss_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// calm are rounds to which nothing happens: their outcomes, and how many instants
// they have.
type calm struct {
	results []outcome.Result
	// between is the instant between the first round and the second, ticks is the
	// one after the second.
	between, ticks int
}

// undisturbed is what all scenarios are compared with.
var undisturbed struct {
	calm

	once sync.Once
}

// calmly plays the rounds undisturbed, once for all scenarios.
func calmly(t *testing.T) calm {
	t.Helper()
	undisturbed.once.Do(func() {
		url := jobstreamtest.Start(t).NATSURL()
		s := newStage(t, url, url)
		s.ticks.tick(s.ctx)
		s.produce(0)
		s.ticks.tick(s.ctx)
		undisturbed.between = s.ticks.now
		s.produce(1)
		s.ticks.tick(s.ctx)
		undisturbed.ticks = s.ticks.now
		s.produce(2)
		for n := range rounds {
			result := must.Get(outcome.Latest(s.ctx, s.bus, name(n)))(t)
			if result.Revision != 1 || result.Done != 9+1-min(n, 1) || len(result.DeadLetters) != 1+min(n, 1) || len(result.Degraded) != 1 {
				t.Errorf("undisturbed round %d: %d done, %d dead, %d degraded", n+1, result.Done, len(result.DeadLetters), len(result.Degraded))
			}
			undisturbed.results = append(undisturbed.results, result)
		}
	})
	if len(undisturbed.results) != rounds {
		t.Fatal("there is no undisturbed outcome to compare with")
	}
	return undisturbed.calm
}

// judge looks at all rounds: they have ended, the audit is clean or names what is
// gone, and the outcome is the undisturbed one or says what it lacks.
func (s *stage) judge(want calm) {
	s.t.Helper()
	for n := range rounds {
		s.judgeRound(n, want.results[n])
	}
	if s.t.Failed() {
		s.t.Logf("processes ended with\n%s", s.words())
	}
}

func (s *stage) judgeRound(n int, want outcome.Result) {
	s.t.Helper()
	got, err := outcome.Latest(s.ctx, s.bus, name(n))
	held, heldErr := s.bus.InventoryDigests(s.ctx, name(n))
	switch {
	case heldErr != nil:
		s.t.Errorf("round %d cannot be audited: %v", n+1, heldErr)
		return
	case held.Lost != "":
		s.t.Logf("round %d is lost: %s", n+1, held.Lost)
		return
	}
	a := audit.Of(held)
	if a.Outstanding > 0 && a.Holds() {
		s.t.Errorf("round %d: %s, want nothing outstanding", n+1, a)
	}
	if err != nil {
		if a.Holds() {
			s.t.Errorf("round %d: its outcome cannot be read (%v), and the audit does not say so", n+1, err)
		}
		return
	}
	if n == rounds-1 && !a.Holds() {
		s.t.Errorf("round %d, to which nothing happened: %s; %v", n+1, a, a.Discrepancies)
	}
	same := outcomeText(s.t, got) == outcomeText(s.t, want)
	lacks := marks(got)
	for mark := range marks(want) {
		delete(lacks, mark)
	}
	if !same && len(lacks) == 0 && a.Holds() {
		s.t.Errorf("round %d: another outcome than the undisturbed one, and nothing says why (-want +got):\n%s",
			n+1, cmp.Diff(want.Outcome.Rewards, got.Outcome.Rewards))
	}
	if !same || !a.Holds() {
		s.t.Logf("round %d: undisturbed outcome %t, it lacks %v, audit %s %v", n+1, same, slices.Sorted(maps.Keys(lacks)), a, a.Discrepancies)
	}
}

func outcomeText(t *testing.T, r outcome.Result) string {
	t.Helper()
	return string(must.Get(json.Marshal(r.Outcome))(t))
}

// marks are what an outcome says that it lacks.
func marks(r outcome.Result) map[string]bool {
	all := map[string]bool{}
	for _, l := range r.DeadLetters {
		all[fmt.Sprintf("miner %d is dead: %s", l.UID, l.Class)] = true
	}
	for _, d := range r.Degraded {
		all[fmt.Sprintf("miner %d is degraded", d.UID)] = true
	}
	for _, s := range r.StandIns {
		all[fmt.Sprintf("miner %d has a stand-in of %s", s.UID, s.AsOf)] = true
	}
	for _, l := range r.Damaged {
		all[l.What] = true
	}
	for _, l := range r.FailedLookUps {
		all[l.What] = true
	}
	return all
}
