package round_test

import (
	"errors"
	"strings"
	"testing"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
)

// A round that was planned under other rules is concluded, and its outcome says under which.
// It is replayed only by who says that the current rules are meant; the refusal says what
// differs.
func TestARoundOfOtherRules(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	p := &patient{}
	b.work(t, p.handler)
	m := b.plan(t, four()...)
	if m.Rules != scoring.RulesVersion {
		t.Errorf("planned under version %d, want %d", m.Rules, scoring.RulesVersion)
	}
	m.Rules = 0 // as an earlier version wrote it
	first := must.Get(b.runner(t).Start(deadline(t), m))(t)
	if first.Rules != scoring.RulesVersion || first.PlannedRules != scoring.FirstRules {
		t.Errorf("concluded under %d, planned under %d; want %d and %d", first.Rules, first.PlannedRules, scoring.RulesVersion, scoring.FirstRules)
	}
	_, did, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{})
	if !errors.Is(err, round.ErrRules) || len(did.UIDs) > 0 {
		t.Fatalf("got %v, ran %v; want %v and nothing run", err, did.UIDs, round.ErrRules)
	}
	says := []string{m.Round, "planned under version 1", "--rules current"}
	for _, c := range scoring.RuleChanges(scoring.FirstRules, scoring.RulesVersion) {
		says = append(says, c.Change)
	}
	for _, want := range says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %q", err, want)
		}
	}
	p.healed.Store(true)
	again, did, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{CurrentRules: true})
	if err != nil || len(did.UIDs) != 2 || again.Revision != 2 || again.PlannedRules != scoring.FirstRules {
		t.Errorf("with the current rules: %v, ran %v, revision %d, planned under %d; want two miners run", err, did.UIDs, again.Revision, again.PlannedRules)
	}
}
