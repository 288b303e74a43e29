package whatif_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/whatif"
)

// ask reads changes as people write them.
func ask(t *testing.T, kind whatif.Kind, texts ...string) []whatif.Change {
	t.Helper()
	var asked whatif.Asked
	*asked.Of(kind) = texts
	return must.Get(asked.Changes())(t)
}

// What cannot be is refused with the reason, and so is what changes nothing.
func TestWhatCannotBe(t *testing.T) {
	t.Parallel()
	in := fleet(t, 2)
	for _, c := range []struct {
		name, text, want string
		kind             whatif.Kind
	}{
		{"a merge before the creation", "acme/r1#121=2026-06-10T00:00:00Z", "before its creation at 2026-06-13", whatif.Merge},
		{"a merge after the round", "acme/r1#121=2026-06-19T00:00:00Z", "after the round's instant", whatif.Merge},
		{"a merge of a merged one", "acme/r1#101", "merged already", whatif.Merge},
		{"a close of a closed one", "acme/r1#124", "closed already", whatif.Close},
		{"a label that it has", "acme/r1#101=DOCS", `has the label "DOCS" already`, whatif.Label},
		{"a label that it does not have", "acme/r1#101=bug", `no label "bug"; its labels are "docs"`, whatif.Unlabel},
		{"an issue that it closes", "acme/r1#121=21", "closes issue #21 already", whatif.Link},
		{"an issue that it does not close", "acme/r1#121=22", "does not close issue #22", whatif.Unlink},
		{"a date of an open one", "acme/r1#121:merged_at=2026-06-17T00:00:00Z", "not merged, but open", whatif.Date},
		{"another date of a pull request", "acme/r1#101:created_at=2026-06-17T00:00:00Z", "only merged_at", whatif.Date},
		{"a date of an issue that is none", "acme/r1#90001:merged_at=2026-06-17T00:00:00Z", "no merged_at", whatif.Date},
		{"the closing of an open issue", "acme/r1#90001:closed_at=2026-06-18T17:00:00Z", "not closed", whatif.Date},
		{"before the window", "acme/r1#101:merged_at=2026-01-17T00:00:00Z", "before", whatif.Date},
		{"an unknown one", "acme/r1#7", "no miner of the round has", whatif.Merge},
		{"an unknown repository", "acme/other#7", "not in the round's registry", whatif.Merge},
	} {
		_, err := whatif.Conclude(in, ask(t, c.kind, c.text), nil)
		if !errors.Is(err, whatif.ErrImpossible) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want that it cannot be: %q", c.name, err, c.want)
		}
	}
}

// An issue may have been edited before the window: the mirror does not list issues by their
// edits.
func TestAnEditBeforeTheWindow(t *testing.T) {
	t.Parallel()
	in := fleet(t, 2)
	issue := &in.Evaluations[1].Issues.Listed[0]
	issue.State = scoring.Closed
	issue.CreatedAt, issue.ClosedAt = asOf.AddDate(0, 0, -90), asOf.AddDate(0, 0, -1)
	if _, err := whatif.Conclude(in, ask(t, whatif.Date, "acme/r1#90001:last_edited_at=2026-04-01T00:00:00Z"), nil); err != nil {
		t.Errorf("an edit before the window: %v", err)
	}
	_, err := whatif.Conclude(in, ask(t, whatif.Date, "acme/r1#90001:closed_at=2026-04-01T00:00:00Z"), nil)
	if !errors.Is(err, whatif.ErrImpossible) || !strings.Contains(err.Error(), "before the window") {
		t.Errorf("a closing before the window: got %v, want that it cannot be", err)
	}
}

// What the round did not keep is named, and not guessed.
func TestWhatWasNotKeptIsNamed(t *testing.T) {
	t.Parallel()
	registry := func(text string) *input.Registry {
		r := must.Get(input.ParseRegistry([]byte(text)))(t)
		return &r
	}
	old := fleet(t, 2)
	e := old.Evaluations[1]
	e.Received = nil // as a former version stored it
	old.Evaluations[1] = e
	for _, c := range []struct {
		name     string
		in       scoring.RoundInput
		changes  []whatif.Change
		registry *input.Registry
		want     string
	}{
		{"a dropped one", fleet(t, 2), ask(t, whatif.Approve, "acme/r1#120"), nil, "files of acme/r1#120"},
		{"an issue", fleet(t, 2), ask(t, whatif.Link, "acme/r1#121=4"), nil, "issue acme/r1#4"},
		{"another repository", fleet(t, 2), nil, registry(`{"new/one": {"emission_share": 1}}`), "issues of new/one"},
		{"a longer window", fleet(t, 2), nil, registry(`{"acme/r1": {"emission_share": 1, "scoring": {"pr_lookback_days": 31}}}`), "acme/r1 in 31 days"},
		{"a first cut", fleet(t, 2), nil, registry(`{"acme/r1": {"emission_share": 1, "maintainer_cut": 0.1}}`), "maintainers of acme/r1"},
		{"a former version", old, ask(t, whatif.Close, "acme/r1#121"), nil, "of a version that did not keep it"},
	} {
		_, err := whatif.Conclude(c.in, c.changes, c.registry)
		missing, is := errors.AsType[*whatif.NotKeptError](err)
		if !is || !strings.Contains(strings.Join(missing.What, "\n"), c.want) {
			t.Errorf("%s: got %v, want that %q was not kept", c.name, err, c.want)
		}
	}
}

// What a what-if is given stays as it was.
func TestAWhatIfLeavesTheRoundAsItWas(t *testing.T) {
	t.Parallel()
	in := fleet(t, 3)
	before := string(must.Get(json.Marshal(in.Evaluations))(t))
	asked := whatif.Asked{
		Merge:   []string{"acme/r1#121"},
		Close:   []string{"acme/r2#222", "acme/r1#90001"},
		Label:   []string{"acme/r1#101=bug"},
		Unlabel: []string{"acme/r2#201=docs"},
		Link:    []string{"acme/r1#122=maintainer"},
		Unlink:  []string{"acme/r1#121=21"},
		Date:    []string{"acme/r3#301:merged_at=2026-06-18T00:00:00Z"},
	}
	changed := must.Get(whatif.Conclude(in, must.Get(asked.Changes())(t), nil))(t)
	if string(must.Get(json.Marshal(in.Evaluations))(t)) != before {
		t.Error("the evaluations have changed")
	}
	if string(must.Get(json.Marshal(changed))(t)) == string(must.Get(json.Marshal(scoring.Conclude(in)))(t)) {
		t.Error("the outcome has not changed")
	}
}

// A change that cannot be read says how it is written.
func TestChangesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for kind, texts := range map[whatif.Kind][]string{
		whatif.Merge:   {"", "acme#7", "acme/r1", "acme/r1#0", "a/b/c#7", "acme/r1#7=", "acme/r1#7=soon"},
		whatif.Approve: {"acme/r1#7=x"},
		whatif.Label:   {"acme/r1#7"},
		whatif.Link:    {"acme/r1#7=", "acme/r1#7=x", "acme/r1#7=other/repo#3", "acme/r1#7=-3"},
		whatif.Unlink:  {"acme/r1#7=maintainer"},
		whatif.Date:    {"acme/r1#7:merged_at", "acme/r1#7=2026-06-18T00:00:00Z=x"},
	} {
		for _, text := range texts {
			var asked whatif.Asked
			*asked.Of(kind) = []string{text}
			_, err := asked.Changes()
			if syntax, is := errors.AsType[*whatif.SyntaxError](err); !is || !strings.Contains(syntax.Error(), "want owner/repo#7") {
				t.Errorf("%s %q: got %v, want how it is written", kind, text, err)
			}
		}
	}
	many := whatif.Asked{Merge: slices.Repeat([]string{"acme/r1#7"}, whatif.MaxChanges+1)}
	if _, err := many.Changes(); err == nil {
		t.Error("any number of changes is taken")
	}
	for _, c := range ask(t, whatif.Link, "acme/r1#7=3", "acme/r1#7=#3", "acme/r1#7=Acme/R1#3") {
		if c.Issue != 3 || c.Flag() != "--link acme/r1#7=3" {
			t.Errorf("got %+v, want issue 3", c)
		}
	}
}

// Each lever gives what doing it gives, the most first, and what its owner can do is marked.
func TestLevers(t *testing.T) {
	t.Parallel()
	in := fleet(t, 12) // 1 and 11 share a repository
	levers := whatif.LeversOf(in, 1)
	if len(levers.List) == 0 || levers.Tried == 0 || len(levers.NotKept) != 1 {
		t.Fatalf("got %+v, want some, and that the files of the self-merged one were not kept", levers)
	}
	reward := func(o scoring.Outcome) float64 { return o.Rewards[0].Reward }
	former, last := reward(scoring.Conclude(in)), 2.0
	for _, l := range levers.List {
		out := must.Get(whatif.Conclude(in, []whatif.Change{l.Change}, nil))(t)
		if reward(out) != l.Reward || l.Gain != l.Reward-former || l.Gain <= 0 || l.Gain > last {
			t.Errorf("%s: said to give %v, a gain of %v; it gives %v (before: %v)", l.Change, l.Reward, l.Gain, reward(out), former)
		}
		if last = l.Gain; (l.By == whatif.Owner) != (l.Change.Kind == whatif.Close) {
			t.Errorf("%s is said to be of the %s", l.Change, l.By)
		}
	}
	if got := whatif.LeversOf(in, 99); got.Tried != 0 {
		t.Errorf("a miner that is not there has %+v", got)
	}
}

// A what-if of 256 miners takes less than 200 ms (docs/run.md, What would change it).
func BenchmarkWhatIf(b *testing.B) {
	in := fleet(b, 256)
	asked := whatif.Asked{Merge: []string{"acme/r1#121"}}
	changes := must.Get(asked.Changes())(b)
	for b.Loop() {
		must.Get(whatif.Conclude(in, changes, nil))(b)
	}
}

// Another registry scores all pull requests anew.
func BenchmarkWhatIfByAnotherRegistry(b *testing.B) {
	in := fleet(b, 256)
	for b.Loop() {
		must.Get(whatif.Conclude(in, nil, &in.Registry))(b)
	}
}

// The levers of a miner make up to 80 changes.
func BenchmarkLevers(b *testing.B) {
	in := fleet(b, 256)
	for b.Loop() {
		whatif.LeversOf(in, 1)
	}
}
