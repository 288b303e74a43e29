package web_test

import (
	"net/http"
	"strings"
	"testing"

	"mirrorfleet/shared/scoring"
)

// The API refuses a replay and a rescore of a round of other rules, dry or not, and says
// what differs; with rules current it shows what would run.
func TestTheAPIRefusesOtherRules(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Work(t)
	b.Sick.Store(2)
	m := b.Plan(t, now)
	m.Rules, m.Due = scoring.FirstRules, now
	result := b.Run(t, m)
	for _, order := range []string{"replay", "rescore"} {
		post := func(body string) said {
			t.Helper()
			return b.ask(t, http.MethodPost, "/api/v1/rounds/"+result.Round+"/"+order, body, "Authorization", "Bearer "+token)
		}
		for body, want := range map[string]string{
			`{"uids": [2]}`:                                      "other-rules",
			`{"uids": [2], "dry_run": true}`:                     scoring.RuleChanges(scoring.FirstRules, scoring.RulesVersion)[0].Change,
			`{"uids": [2], "rules": "newest"}`:                   `want \"current\"`,
			`{"uids": [2], "rules": "current", "dry_run": true}`: `"chosen":[{"uid":2`,
		} {
			if got := post(body); !strings.Contains(got.body, want) {
				t.Errorf("%s %s: %d %s, want %q", order, body, got.status, got.body, want)
			}
		}
	}
}
