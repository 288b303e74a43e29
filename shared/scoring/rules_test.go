package scoring_test

import (
	"testing"

	"mirrorfleet/shared/scoring"
)

// Every version after the first says what it changed, so that a replay can tell.
func TestEachVersionOfTheRulesSaysWhatItChanged(t *testing.T) {
	t.Parallel()
	for version := scoring.FirstRules; version <= scoring.RulesVersion; version++ {
		if got := scoring.RuleChanges(version, version); len(got) != 0 {
			t.Errorf("from %d to itself: %v, want nothing", version, got)
		}
		changes := scoring.RuleChanges(version-1, version)
		if version > scoring.FirstRules && len(changes) == 0 {
			t.Errorf("version %d: no change is told", version)
		}
		for _, c := range changes {
			if c.Version != version || c.Change == "" {
				t.Errorf("version %d: %+v", version, c)
			}
		}
	}
	if there, back := scoring.RuleChanges(1, scoring.RulesVersion), scoring.RuleChanges(scoring.RulesVersion, 1); len(there) != len(back) {
		t.Errorf("%d changes one way, %d the other", len(there), len(back))
	}
}
