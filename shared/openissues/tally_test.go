package openissues_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/openissues"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// asOf has parts of a millisecond: the mirror cuts them off of a window.
var (
	asOf  = time.Date(2026, 6, 1, 12, 0, 0, 1_500_000, time.UTC)
	since = time.Date(2026, 5, 2, 12, 0, 0, 1_000_000, time.UTC) // as the mirror takes it
)

const registry = `{"A/b": {"emission_share": 0.5}, "c/d": {"emission_share": 0.5, "scoring": {"pr_lookback_days": 1}}}`

func row(author, repository string, state scoring.State, at time.Time) scoring.IssueRow {
	r := scoring.IssueRow{AuthorID: author, Repository: repository, State: state, CreatedAt: at}
	if state == scoring.Closed {
		r.CreatedAt, r.ClosedAt = at.AddDate(-1, 0, 0), at
	}
	return r
}

// Inside is the mirror's own comparison: to the millisecond, the edge included, by the
// repository's window whatever the case of its name.
func TestInside(t *testing.T) {
	t.Parallel()
	reg := must.Get(input.ParseRegistry([]byte(registry)))(t)
	windows := reg.Windows(asOf)
	for name, c := range map[string]struct {
		row  scoring.IssueRow
		want bool
	}{
		"open at the edge":             {row("7", "a/b", scoring.Open, since), true},
		"open before it":               {row("7", "a/b", scoring.Open, since.Add(-time.Millisecond)), false},
		"closed at the edge":           {row("7", "a/b", scoring.Closed, since), true},
		"closed before it":             {row("7", "a/b", scoring.Closed, since.Add(-time.Millisecond)), false},
		"another case":                 {row("7", "A/B", scoring.Open, since), true},
		"a shorter window":             {row("7", "c/d", scoring.Open, since), false},
		"unknown repository":           {row("7", "e/f", scoring.Open, asOf), false},
		"open, created is not known":   {row("7", "a/b", scoring.Open, time.Time{}), false},
		"closed, closed is not known":  {scoring.IssueRow{Repository: "a/b", State: scoring.Closed, CreatedAt: asOf}, false},
		"open, and was closed lately":  {scoring.IssueRow{Repository: "a/b", State: scoring.Open, ClosedAt: asOf}, false},
		"of the future":                {row("7", "a/b", scoring.Open, asOf.AddDate(1, 0, 0)), true},
		"closed lately, created early": {row("7", "c/d", scoring.Closed, asOf), true},
	} {
		if got := c.row.Inside(reg, windows); got != c.want {
			t.Errorf("%s: inside %t, want %t", name, got, c.want)
		}
	}
}

// A miner has its open issues in the registry's repositories, and none of whom a row
// cannot be read.
func TestTally(t *testing.T) {
	t.Parallel()
	reg := must.Get(input.ParseRegistry([]byte(registry)))(t)
	tally := openissues.NewTally(reg, asOf, []string{"7", "8", "9", "10", "10", ""})
	old := asOf.AddDate(-1, 0, 0)
	for _, r := range []scoring.IssueRow{
		row("7", "a/b", scoring.Open, old), row("7", "A/B", scoring.Open, old), row("7", "c/d", scoring.Open, old),
		row("7", "e/f", scoring.Open, asOf), row("7", "a/b", scoring.Closed, old),
		row("8", "c/d", scoring.Closed, asOf), row("8", "e/f", scoring.Open, asOf),
		row("", "a/b", scoring.Open, asOf), row("70", "a/b", scoring.Open, asOf), row("9", "a/b", scoring.Open, old),
	} {
		tally.Add(r, nil)
	}
	tally.Add(scoring.IssueRow{AuthorID: "9"}, errors.New("malformed"))
	tally.Add(scoring.IssueRow{}, errors.New("malformed"))
	tally.Add(row("9", "a/b", scoring.Open, asOf), nil)
	want := map[string]job.MinerIssues{
		"7": {Open: map[string]int{reg.Repositories[0].Name: 2, "c/d": 1}}, "8": {Inside: true}, "10": {},
	}
	if diff := cmp.Diff(want, tally.Miners()); diff != "" {
		t.Errorf("miners (-want +got):\n%s", diff)
	}
}
