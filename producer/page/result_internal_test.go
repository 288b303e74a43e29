package page

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
)

// However much of an answer is rubbish, the round's page stays readable.
func TestSkippedItemsAreBounded(t *testing.T) {
	t.Parallel()
	items := slices.Repeat([]job.Malformed{{Item: "a/b#1"}}, 10)
	ten := strings.TrimSuffix(strings.Repeat("a/b#1, ", 10), ", ")
	if got := skipped(items); got != ten {
		t.Errorf("got %q, want all ten", got)
	}
	if got, want := skipped(slices.Repeat(items, 100)), ten+" and 990 more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The remedy of an incomplete round of other rules can be typed as it stands: a replay of it
// is refused without the rules.
func TestTheRemedyNamesTheRules(t *testing.T) {
	t.Parallel()
	for planned, want := range map[int]string{
		0: " --rules current", scoring.FirstRules: " --rules current", scoring.RulesVersion: "",
	} {
		var out bytes.Buffer
		must.Do(t, Result(&out, outcome.Result{Round: "r1", Revision: 1, Rules: scoring.RulesVersion, PlannedRules: planned}))
		if line := "\nRemedy: producer replay r1" + want + "\n"; !strings.Contains(out.String(), line) {
			t.Errorf("planned under %d: want %q in\n%s", planned, line, out.String())
		}
	}
}

// The note of a miner of unknown identity blames GitHub: the mirror was asked
// for nothing, unless a kept identity stood in.
func TestNotesOfUnknownIdentities(t *testing.T) {
	t.Parallel()
	kept := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	missing := []job.Missing{{What: "files acme/widgets#14"}}
	for _, c := range []struct {
		name    string
		m       scoring.MinerOutcome
		unknown []outcome.UnknownIdentity
		missing []job.Missing
		want    string
	}{
		{"the mirror failed", scoring.MinerOutcome{FetchFailed: true}, nil, nil, "its pull requests could not be listed"},
		{
			"nothing is stored", scoring.MinerOutcome{FetchFailed: true, IssuesFailed: true},
			[]outcome.UnknownIdentity{{UID: 5}}, nil, "its identity is unknown",
		},
		{
			"something is stored", scoring.MinerOutcome{FetchFailed: true, FromStored: true, IssuesFailed: true},
			[]outcome.UnknownIdentity{{UID: 5}}, nil, "its identity is unknown; from its stored evaluation",
		},
		{"kept", scoring.MinerOutcome{}, []outcome.UnknownIdentity{{UID: 5, KeptAt: kept}}, nil, "its identity is unknown"},
		{
			"kept, and the mirror failed", scoring.MinerOutcome{FetchFailed: true}, []outcome.UnknownIdentity{{UID: 5, KeptAt: kept}}, nil,
			"its identity is unknown; its pull requests could not be listed",
		},
		{
			"kept, and degraded", scoring.MinerOutcome{}, []outcome.UnknownIdentity{{UID: 5, KeptAt: kept}}, missing,
			"its identity is unknown; lacks files acme/widgets#14",
		},
		{"another's", scoring.MinerOutcome{}, []outcome.UnknownIdentity{{UID: 6}}, missing, "lacks files acme/widgets#14"},
	} {
		r := outcome.Result{UnknownIdentities: c.unknown}
		c.m.UID = 5
		r.Outcome.Miners = []scoring.MinerOutcome{c.m}
		if c.missing != nil {
			r.Degraded = []outcome.Degraded{{UID: 5, Missing: c.missing}}
		}
		row := minersTable(r).Rows[0]
		if got := row[len(row)-1].Text; got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// The page of such a miner does not blame the mirror either.
func TestPageOfAnUnknownIdentity(t *testing.T) {
	t.Parallel()
	a := view.Miner{
		Outcome:         scoring.MinerOutcome{UID: 5, FetchFailed: true, IssuesFailed: true, OpenIssuesFailed: true},
		UnknownIdentity: &outcome.UnknownIdentity{UID: 5, GitHubID: "1005"},
	}
	var got bytes.Buffer
	p := newPage(&got)
	printNotes(p, &a)
	if err := p.writeTo(&got); err != nil {
		t.Fatal(err)
	}
	text := got.String()
	if strings.Contains(text, "could not be listed") || !strings.Contains(text, "the mirror was not asked about it") {
		t.Errorf("the page says %q, want that nothing was asked", text)
	}
}
