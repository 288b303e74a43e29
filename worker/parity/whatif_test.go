package parity_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/shared/scoring/whatif"
)

// object is an item of the mirror's, as a program sees it in JSON.
type object map[string]any

// moved is a value of a case that is moved: as a change, and by hand in what the mirror says.
type moved struct {
	change whatif.Change
	// pull and issue change an item of the mirror's lists; either may be nil. An issue that
	// is not open any more leaves the open ones.
	pull, issue func(object)
	// linked changes an issue in the pull requests that close it.
	linked func(object)
}

// mostMoved is how many values of a kind are moved in a round of a case, and one registry of
// how many: all with MIRRORFLEET_PARITY_REAL=all.
func mostMoved() (values, registries int) {
	if allReal() {
		return 4, 1
	}
	return 1, 5
}

// isMoved says whether values are moved in a round of a case: in every sixth one, unless all
// are wanted.
func isMoved(name string, i int) bool { return allReal() || (i+int(name[len(name)-1]))%6 == 0 }

// counts are how many changes came to the same bytes, by kind; and how many were refused.
type counts struct {
	mu      sync.Mutex
	equal   map[string]int
	refused map[string]int
}

func (c *counts) add(kind string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.equal[kind]++
		return
	}
	c.refused[kind]++
}

// TestWhatIfIsAsIfItWere moves values of every kind in every case, and has the changed world
// evaluated and concluded: the round's what-if is the same bytes.
func TestWhatIfIsAsIfItWere(t *testing.T) { //nolint:tparallel // the group of subtests ends before they are counted
	t.Parallel()
	parser := startScorer(t)
	c := &counts{equal: map[string]int{}, refused: map[string]int{}}
	t.Run("cases", func(t *testing.T) {
		for _, file := range must.Get(caseFiles(casesDir()))(t) {
			t.Run(caseName(file), func(t *testing.T) {
				t.Parallel()
				w, rounds := roundsOf(t, parser, file)
				for i, r := range rounds {
					unchangedAlike(t, i, r)
					if !isMoved(w.name, i) {
						continue
					}
					parser := parser
					parser.seen = map[string]*tokens.Figures{} // the files are the same in all changed worlds
					for _, m := range movesOf(w, i, r.input) {
						compareMoved(t, parser, w, i, r, m, c)
					}
					moves := registryMoves(w, i)
					_, every := mostMoved()
					for n, setting := range slices.Sorted(maps.Keys(moves)) {
						if (n+i+int(w.name[len(w.name)-1]))%every == 0 {
							compareRegistry(t, parser, w, i, r, setting, moves[setting], c)
						}
					}
				}
			})
		}
	})
	t.Logf("equal: %v; refused: %v", c.equal, c.refused)
	for _, kind := range slices.Concat(whatif.Kinds(), []whatif.Kind{"close issue", "date issue", "registry"}) {
		if casesDir() == ownCases && c.equal[string(kind)] == 0 {
			t.Errorf("no %s was tried", kind)
		}
	}
}

// unchangedAlike holds that an evaluation holds all that it was scored from.
func unchangedAlike(t *testing.T, i int, r concluded) {
	t.Helper()
	registry := r.input.Registry
	got := must.Get(whatif.Conclude(r.input, nil, &registry))(t)
	if got, want := encode(t, got), encode(t, r.outcome); got != want {
		t.Errorf("round %d: scored anew with nothing changed, another outcome\n%s", i, firstDifference(got, want))
	}
}

func compareMoved(t *testing.T, s scorer, w *world, i int, r concluded, m moved, c *counts) {
	t.Helper()
	got, err := whatif.Conclude(r.input, []whatif.Change{m.change}, nil)
	kind := string(m.change.Kind)
	if m.pull == nil {
		kind += " issue"
	}
	if c.add(kind, err); err != nil {
		return
	}
	mirror, registry := inForce(w, i)
	changed := changedCase(w, i, m.in(mirror), registry)
	compareWorlds(t, s, changed, i, r, m.change.String(), got)
}

// changedCase is one round of a case over another mirror.
func changedCase(w *world, i int, mirror mirrorsim.Answers, registry json.RawMessage) *world {
	c := *w.Case
	round := w.Rounds[i]
	round.Mirror, round.Registry = &mirror, registry
	c.Rounds = []mirrorsim.CaseRound{round}
	return &world{&c, w.name}
}

func compareWorlds(t *testing.T, s scorer, changed *world, i int, r concluded, what string, got scoring.Outcome) {
	t.Helper()
	want := playRound(t, s, must.Get(changed.round(0))(t), maps.Clone(r.input.Stored), untold).outcome
	if got, want := encode(t, got), encode(t, want); got != want {
		t.Errorf("round %d: %s: another outcome than if it were\n%s", i, what, firstDifference(got, want))
	}
}

// inForce is what the mirror says in a round, and its registry.
func inForce(w *world, i int) (mirrorsim.Answers, json.RawMessage) {
	mirror, registry := w.Mirror, w.Registry
	for _, r := range w.Rounds[:i+1] {
		if r.Mirror != nil {
			mirror = *r.Mirror
		}
		if r.Registry != nil {
			registry = r.Registry
		}
	}
	return mirror, registry
}

// in is what the mirror says with the value moved.
func (m moved) in(mirror mirrorsim.Answers) mirrorsim.Answers {
	mirror.Pulls = edited(mirror.Pulls, m.pull, false)
	mirror.Pulls = edited(mirror.Pulls, m.linked, false)
	mirror.Issues = edited(mirror.Issues, m.issue, false)
	mirror.OpenIssues = edited(mirror.OpenIssues, m.issue, true)
	return mirror
}

func edited(lists map[string][]json.RawMessage, edit func(object), open bool) map[string][]json.RawMessage {
	if edit == nil {
		return lists
	}
	changed := map[string][]json.RawMessage{}
	for id, list := range lists {
		changed[id] = []json.RawMessage{}
		for _, raw := range list {
			item, isObject := decoded(raw).(map[string]any)
			before := string(raw)
			if isObject {
				if edit(item); fmt.Sprint(decoded(raw)) != fmt.Sprint(item) {
					before = written(item)
				}
			}
			if !open || item["state"] == "OPEN" || !isObject {
				changed[id] = append(changed[id], json.RawMessage(before))
			}
		}
	}
	return changed
}

func (o object) is(number string, item whatif.Item) bool {
	name, _ := o["repo_full_name"].(string)
	return strings.EqualFold(name, item.Repository) && fmt.Sprint(o[number]) == fmt.Sprint(item.Number)
}

// list is a list of objects inside an object.
func (o object) list(name string) []object {
	var objects []object
	list, _ := o[name].([]any)
	for _, entry := range list {
		if entry, ok := entry.(map[string]any); ok {
			objects = append(objects, entry)
		}
	}
	return objects
}

// onPull changes a pull request, onSolver it where issues name it.
func onPull(item whatif.Item, change func(object)) func(object) {
	return func(o object) {
		if o.is("pr_number", item) {
			change(o)
		}
	}
}

func onSolver(item whatif.Item, change func(object)) func(object) {
	return func(o object) {
		solver, _ := o["solving_pr"].(map[string]any)
		name, _ := o["repo_full_name"].(string)
		if solver != nil && strings.EqualFold(name, item.Repository) && fmt.Sprint(solver["pr_number"]) == fmt.Sprint(item.Number) {
			change(solver)
		}
	}
}

// movesOf are the values of a round that are moved: some of each kind.
func movesOf(w *world, i int, in scoring.RoundInput) []moved {
	var moves []moved
	of := map[string]int{}
	most, _ := mostMoved()
	add := func(m moved) {
		kind := string(m.change.Kind) + string(m.change.Field) + string(m.change.New)
		if of[kind]++; of[kind] <= most {
			moves = append(moves, m)
		}
	}
	asOf := w.Rounds[i].AsOf.UTC().Truncate(time.Second)
	for _, uid := range slices.Sorted(maps.Keys(in.Evaluations)) {
		e := in.Evaluations[uid]
		for j := range e.Received {
			pr := &e.Received[j]
			for _, m := range pullMoves(whatif.Item{Repository: strings.ToLower(pr.Repository), Number: pr.Number}, pr, asOf) {
				add(m)
			}
		}
		if e.Issues == nil {
			continue
		}
		for j := range e.Issues.Listed {
			issue := &e.Issues.Listed[j]
			for _, m := range issueMoves(whatif.Item{Repository: strings.ToLower(issue.Repository), Number: issue.Number}, asOf) {
				add(m)
			}
		}
	}
	return moves
}

func written(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // only in a test, and only for what cannot be JSON
	}
	return string(data)
}
