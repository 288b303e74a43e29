package parity_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/tokens"
)

// concluded is one round of a world with everything that it was made from.
type concluded struct {
	input   scoring.RoundInput
	outcome scoring.Outcome
	// byRoute are the requests, by the simulator's own count; all is what came of the
	// one answer on all issues.
	byRoute map[string]int
	all     job.AllIssues
}

// run plays all rounds of a world, one after the other over the same stored
// evaluations.
func run(tb testing.TB, s scorer, w *world) []concluded {
	tb.Helper()
	return play(tb, s, w, untold)
}

// playing is a case that was played, or is being played.
type playing struct {
	once   sync.Once
	rounds []concluded
}

// plays are the project's own cases that were played, by file.
var plays sync.Map

// roundsOf reads a case and plays it as run does. The project's own cases are played once for
// all tests that read their rounds, which must not change them. Cases of another folder are
// played by each test: they may be more than the memory holds.
func roundsOf(t *testing.T, s scorer, file string) (*world, []concluded) {
	t.Helper()
	w := must.Get(readCase(file))(t)
	if casesDir() != ownCases {
		return w, run(t, s, w)
	}
	of, _ := plays.LoadOrStore(file, &playing{})
	p, _ := of.(*playing)
	p.once.Do(func() { p.rounds = run(t, s, w) })
	if p.rounds == nil {
		t.Fatal("another test could not play this case, and says why")
	}
	return w, p.rounds
}

// untold does not ask for the one answer.
func untold(round, *mirror.Client) job.AllIssues { return job.AllIssues{} }

// play runs the rounds with what ask has of the one answer on all issues.
func play(tb testing.TB, s scorer, w *world, ask func(round, *mirror.Client) job.AllIssues) []concluded {
	tb.Helper()
	stored := map[int]scoring.StoredEvaluation{}
	rounds := make([]concluded, len(w.Rounds))
	for i := range w.Rounds {
		if i == 0 || w.Rounds[i].Mirror != nil {
			s.seen = map[string]*tokens.Figures{}
		}
		r, err := w.round(i)
		if err != nil {
			tb.Fatalf("round %d: %v", i, err)
		}
		rounds[i] = playRound(tb, s, r, maps.Clone(stored), ask)
		for _, change := range rounds[i].outcome.Stored {
			if change.Evaluation == nil {
				delete(stored, change.UID)
			} else {
				stored[change.UID] = *change.Evaluation
			}
		}
	}
	return rounds
}

// playRound runs one round, from what is stored before it.
func playRound(
	tb testing.TB, s scorer, r round, stored map[int]scoring.StoredEvaluation, ask func(round, *mirror.Client) job.AllIssues,
) concluded {
	tb.Helper()
	server, client := startMirror(tb, r.mirror)
	all := ask(r, client)
	r.known = all.Miners
	in := must.Get(s.input(tb.Context(), client, r, stored))(tb)
	c := concluded{in, scoring.Conclude(in), map[string]int{}, all}
	for route, seen := range server.Stats().ByRoute {
		c.byRoute[route] = seen.Requests
	}
	return c
}

// tally is what all cases together come to.
type tally struct {
	mu             sync.Mutex
	rounds, values int
}

func (t *tally) add(c *comparison) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rounds++
	t.values += c.values
}

// TestRounds holds every round of every case to what the validator made of it,
// to its bytes in whatever order its input was put together, and to its bytes
// when it is replayed from what was stored of it.
func TestRounds(t *testing.T) { //nolint:tparallel // the group of subtests ends before the tally is told
	t.Parallel()
	parser := startScorer(t)
	var sum tally
	t.Run("cases", func(t *testing.T) {
		files := must.Get(caseFiles(casesDir()))(t)
		for _, file := range files {
			// Each case is read when its turn comes: a folder may hold more than
			// the memory.
			t.Run(caseName(file), func(t *testing.T) {
				t.Parallel()
				w, rounds := roundsOf(t, parser, file)
				for i, r := range rounds {
					sum.add(w.compare(t, i, r.outcome))
					want := encode(t, r.outcome)
					shuffledAlike(t, i, r.input, want)
					replayedAlike(t, i, r.input, want)
				}
			})
		}
	})
	t.Logf("%d rounds, %d values", sum.rounds, sum.values)
}

// TestChangingWorld plays two recorded worlds as one case whose second round has
// another mirror and another registry: each gives what it gave alone.
func TestChangingWorld(t *testing.T) {
	t.Parallel()
	if casesDir() != ownCases {
		t.Skip("other cases may share miners, whose stored evaluations would count")
	}
	parser := startScorer(t)
	w, second := recorded(t, "0001"), recorded(t, "0002")
	next := second.Rounds[0]
	next.Miners = second.Miners
	next.Mirror = &second.Mirror
	next.Registry = second.Registry
	w.Rounds, w.Expected = append(w.Rounds[:1], next), append(w.Expected[:1], second.Expected[0])
	for i, r := range run(t, parser, w) {
		w.compare(t, i, r.outcome)
	}
}

// recorded is one of the project's own cases.
func recorded(t *testing.T, name string) *world {
	t.Helper()
	w := must.Get(readCase(filepath.Join(ownCases, "rounds", name+".json.zst")))(t)
	return w
}

// compare compares a round's outcome with what the validator made of it.
func (w *world) compare(t *testing.T, round int, out scoring.Outcome) *comparison {
	t.Helper()
	c := &comparison{}
	c.compare("", "", shaped(out), decoded(w.Expected[round]))
	const maximum = 12
	for _, wrong := range c.wrong[:min(maximum, len(c.wrong))] {
		t.Errorf("round %d%s", round, wrong)
	}
	if more := len(c.wrong) - maximum; more > 0 {
		t.Errorf("round %d: %d more differences", round, more)
	}
	return c
}

// encode is an outcome's bytes, with what it does to the stored evaluations.
func encode(tb testing.TB, out scoring.Outcome) string {
	tb.Helper()
	return string(encodeAny(tb, []any{out, out.Stored}))
}

func encodeAny(tb testing.TB, v any) []byte {
	tb.Helper()
	return must.Get(json.Marshal(v))(tb)
}

// shuffledAlike concludes the round again with its maps filled, and its miners
// listed, in other orders.
func shuffledAlike(t *testing.T, round int, in scoring.RoundInput, want string) {
	t.Helper()
	const times = 20
	for seed := range uint64(times) {
		r := rand.New(rand.NewPCG(seed, 1))
		shuffled := in
		shuffled.Miners = slices.Clone(in.Miners)
		r.Shuffle(len(shuffled.Miners), func(i, j int) {
			shuffled.Miners[i], shuffled.Miners[j] = shuffled.Miners[j], shuffled.Miners[i]
		})
		shuffled.Evaluations = shuffle(r, in.Evaluations)
		shuffled.Stored = shuffle(r, in.Stored)
		shuffled.Maintainers = shuffle(r, in.Maintainers)
		if got := encode(t, scoring.Conclude(shuffled)); got != want {
			t.Fatalf("round %d, order %d: another outcome\n%s", round, seed, firstDifference(got, want))
		}
	}
}

// shuffle copies a map, with its entries put in another order.
func shuffle[K int | string, V any](r *rand.Rand, m map[K]V) map[K]V {
	keys := slices.Sorted(maps.Keys(m))
	r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	copied := map[K]V{}
	for _, key := range keys {
		copied[key] = m[key]
	}
	return copied
}

// replayedAlike concludes the round again from its inputs as they are stored.
func replayedAlike(t *testing.T, round int, in scoring.RoundInput, want string) {
	t.Helper()
	replayed := in
	replayed.Miners = nil
	replayed.Evaluations = nil
	replayed.Stored = nil
	replayed.Maintainers = nil
	again(t, in.Miners, &replayed.Miners)
	again(t, in.Evaluations, &replayed.Evaluations)
	again(t, in.Stored, &replayed.Stored)
	again(t, in.Maintainers, &replayed.Maintainers)
	if got := encode(t, scoring.Conclude(replayed)); got != want {
		t.Fatalf("round %d: replayed from what was stored, another outcome\n%s", round, firstDifference(got, want))
	}
}

func again[T any](t *testing.T, from T, to *T) {
	t.Helper()
	data, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	must.Do(t, err)
}

func firstDifference(got, want string) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	around := func(s string) string { return s[max(0, min(len(s), i)-200):min(len(s), i+100)] }
	return fmt.Sprintf("got  …%s\nwant …%s", around(got), around(want))
}

// TestFolderIsNeverAPass holds that a folder without cases, or with one that
// is no case, is an error that names it.
func TestFolderIsNeverAPass(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	if _, err := caseFiles(missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing folder: got %v, want an error that names %s", err, missing)
	}
	rounds := filepath.Join(dir, "empty", "rounds")
	must.Do(t, os.MkdirAll(rounds, 0o750))
	if _, err := caseFiles(filepath.Join(dir, "empty")); err == nil || !strings.Contains(err.Error(), rounds) {
		t.Errorf("an empty folder: got %v, want an error that names %s", err, rounds)
	}
	for name, text := range map[string]string{
		"cut":        `{"registry":`,
		"no-rounds":  `{"registry":{},"miners":[],"mirror":{},"rounds":[],"expected":[]}`,
		"unexpected": `{"registry":{},"miners":[],"mirror":{},"rounds":[{"as_of":"2026-01-01T00:00:00Z"}],"expected":[]}`,
		"no-as-of":   `{"registry":{},"miners":[],"mirror":{},"rounds":[{}],"expected":[{}]}`,
		"no-outcome": `{"registry":{},"miners":[],"mirror":{},"rounds":[{"as_of":"2026-01-01T00:00:00Z"}],"expected":[{}]}`,
		"no-figures": `{"registry":{},"miners":[],"mirror":{},"rounds":[{"as_of":"2026-01-01T00:00:00Z"}],"expected":[
			{"from_stored":[],"shared_account":[],"maintainers":{},"rewards":{},"emission":[],"miners":{"3":{"failed":null}}}]}`,
		"empty":       ``,
		"damaged.zst": "neither JSON nor compressed",
		"no-registry": `{"miners":[],"mirror":{},"rounds":[{"as_of":"2026-01-01T00:00:00Z"}],"expected":[{}]}`,
	} {
		file := filepath.Join(dir, strings.TrimSuffix(name, ".zst")+".json")
		if strings.HasSuffix(name, ".zst") {
			file += ".zst"
		}
		must.Do(t, os.WriteFile(file, []byte(text), 0o600))
		if _, err := readCase(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v, want an error that names %s", name, err, file)
		}
	}
}
