package evaluate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/worker/evaluate"
)

// named is a world whose pull requests name their commits, as the mirror's do.
func named(pulls int, head string) *mirrorsim.World {
	w := mirrorsim.NewWorld("named", asOf)
	w.Registry = []byte(`{"a/b": {"emission_share": 0.5}}`)
	for n := 1; n <= pulls; n++ {
		name(w, n, head, true)
	}
	return w
}

func name(w *mirrorsim.World, n int, head string, stored bool) {
	created := asOf.Add(-time.Duration(n) * time.Hour)
	merged := created.Add(time.Minute)
	main := "main"
	sha := fmt.Sprintf("%s-%d", head, n)
	base := "m"
	w.AddPull("107", mirrorsim.Pull{
		RepoFullName: "A/B", Number: n, State: "MERGED", AuthorGitHubID: "107", AuthorLogin: "seven", CreatedAt: created,
		MergedAt: &merged, BaseRef: &main, DefaultBranch: &main, HeadSHA: &sha, MergeBaseSHA: &base, ScoringDataStored: true,
		Additions: n,
	})
	f := files(n)
	f.HeadSHA = &sha
	f.MergeBaseSHA = &base
	f.ScoringDataStored = stored
	w.AddFiles(f)
}

// filesAsked is how many files requests a mirror saw.
func filesAsked(b *bundle) int { return b.server.Stats().ByRoute[mirrorsim.RouteFiles].Requests }

// in is the job of miner 7 in a round.
func in(round string) job.Job {
	j := one()
	j.Round = round
	return j
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	data := must.Get(json.Marshal(v))(t)
	return string(data)
}

// A round over an unchanged mirror that has settled: three requests a miner, no
// files, and the very bytes of the first. It runs over the whole demo world, with
// solving pull requests, malformed items and empty lists; another worker runs
// it. A pull request that only an issue names, without counts to compare, settles
// by coming back the same an hour later.
func TestASecondRoundFetchesNoFiles(t *testing.T) {
	t.Parallel()
	world := must.Get(mirrorsim.Demo())(t)
	world.Fails = nil // failed tries are requests too
	now := world.AsOf
	clock := func(c *evaluate.Config) { c.Now = func() time.Time { return now } }
	b := setup(t, world, clock)
	var miners []job.Job
	for _, m := range world.Miners {
		if m.GitHubID != "" {
			miners = append(miners, job.Job{Version: job.Version, UID: m.UID, Hotkey: m.Hotkey, GitHubID: m.GitHubID, AsOf: world.AsOf})
		}
	}
	asOfWorld := func(m *job.Manifest) { m.AsOf = world.AsOf }
	run := func(round string) (all []job.Evaluation, told []int) {
		b.plan(t, round, asOfWorld)
		b.server.Reset()
		for _, j := range miners {
			j.Round = round
			last := 0
			e := must.Get(b.evaluator.Evaluate(t.Context(), j, job.Attempt{Expect: func(_ context.Context, n int) { last = n }}))(t)
			all, told = append(all, e), append(told, last)
		}
		return all, told
	}
	first, told := run("first")
	needed, sum := 0, 0
	for i, e := range first {
		needed += e.Cached
		sum += told[i]
	}
	files, asked := filesAsked(b), b.server.Stats().Requests
	if files < 100 || asked != 3*len(miners)+files || sum != asked {
		t.Errorf("first round: %d requests for %d miners, %d of them for files, %d told; want 3 a miner, many files, and all told",
			asked, len(miners), files, sum)
	}
	needed += files
	solving := 0
	b.connect(t, b.scorer.Version(), clock)
	now = now.Add(time.Hour)
	run("an-hour-later")
	if got := filesAsked(b); got == 0 || got > 10 {
		t.Errorf("an hour later: %d requests for files, want only those for pull requests that no list counts", got)
	}
	second, told := run("second")
	hits := 0
	for i, e := range second {
		hits += e.Cached
		if told[i] != 3 {
			t.Errorf("miner %d: %d requests told, want 3", e.UID, told[i])
		}
		if got, want := encoded(t, e.Evaluation), encoded(t, first[i].Evaluation); got != want {
			t.Errorf("miner %d: the evaluation is not the same bytes:\n%s", e.UID, cmp.Diff(want, got))
		}
		if got, want := encoded(t, e.Malformed), encoded(t, first[i].Malformed); got != want {
			t.Errorf("miner %d: malformed %s, want %s", e.UID, got, want)
		}
		if e.Evaluation.Issues != nil {
			solving += len(e.Evaluation.Issues.Solving)
		}
	}
	if s := b.server.Stats(); s.Requests != 3*len(miners) || filesAsked(b) != 0 {
		t.Errorf("second round: %d requests for %d miners, %d of them for files; want 3 a miner and none for files",
			s.Requests, len(miners), filesAsked(b))
	}
	if hits != needed || solving == 0 {
		t.Errorf("second round: %d pull requests from the cache, %d solving ones; want all %d, and some", hits, solving, needed)
	}
	t.Logf("%d miners: %d requests, then %d; %d pull requests from the cache, %d of them solving ones",
		len(miners), asked, b.server.Stats().Requests, hits, solving)
}

// What is odd about an answer comes back as it was: files that cannot be read,
// a list of none, and a list of nothing that can be read.
func TestOddAnswersComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	pull := func(n, additions int) string {
		return fmt.Sprintf(`{"repo_full_name": "a/b", "pr_number": %d, "title": "", "state": "MERGED", "author_github_id": "107",
			"created_at": "2026-05-30T00:00:00Z", "merged_at": "2026-05-31T00:00:00Z", "base_ref": "main", "head_sha": "h%d", "base_sha": "b",
			"additions": %d, "deletions": 0, "commits_count": 1, "scoring_data_stored": true, "labels": [], "linked_issues": []}`, n, n, additions)
	}
	files := func(n int, list string) string {
		return fmt.Sprintf(`"a/b#%d": {"repo_full_name": "a/b", "pr_number": %d, "head_sha": "h%d", "base_sha": "b", "merge_base_sha": null,
			"scoring_data_stored": true, "files": [%s]}`, n, n, n, list)
	}
	path := filepath.Join(t.TempDir(), "odd.json")
	must.Do(t, os.WriteFile(path, []byte(`{"registry": {"a/b": {"emission_share": 0.5}}, "miners": [], "rounds": [{"as_of": "2026-06-01T12:00:00Z"}],
		"mirror": {"pulls": {"107": [`+pull(1, 1)+`,`+pull(2, 0)+`,`+pull(3, 1)+`]}, "files": {`+
		files(1, `{"filename": 7}, {"filename": "\u00fc\ud800<a>.py", "status": "added", "changes": 1, "head_content": "x = 1 < 2\n"}`)+`,`+
		files(2, ``)+`,`+files(3, `{"filename": null}`)+`}}}`), 0o600))
	odd := must.Get(mirrorsim.ReadCase(path))(t)
	world := must.Get(odd.World(0))(t)
	now := asOf
	b := setup(t, world, func(c *evaluate.Config) { c.Now = func() time.Time { return now } })
	fresh := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
	if len(fresh.Malformed) != 2 || fresh.Cached != 0 || len(fresh.Evaluation.Merged) != 3 || fresh.Evaluation.Merged[0].TotalNodesScored == 0 {
		t.Fatalf("fresh: malformed %+v, %d cached, merged %+v", fresh.Malformed, fresh.Cached, fresh.Evaluation.Merged)
	}
	// What cannot be compared with its list is kept when it has come back.
	now = now.Add(time.Hour)
	again := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
	if again.Cached != 1 {
		t.Errorf("%d from the cache after an hour, want the list of none", again.Cached)
	}
	cached := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
	if cached.Cached != 3 {
		t.Errorf("%d from the cache, want 3", cached.Cached)
	}
	if diff := cmp.Diff([]string{"a/b#1", "a/b#3"}, fresh.Unsettled); diff != "" {
		t.Errorf("not settled at first (-want +got):\n%s", diff)
	}
	cached.Cached, fresh.Unsettled = 0, nil
	if got, want := encoded(t, cached), encoded(t, fresh); got != want {
		t.Errorf("from the cache it is not the same bytes:\n%s", cmp.Diff(want, got))
	}
}

// Whatever figures follow from, a change of it fetches again; what they do not
// follow from does not.
func TestWhatMakesARoundFetchAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, named(2, "h"))
	evaluated := func(b *bundle, round string, want int) {
		t.Helper()
		b.server.Reset()
		e := must.Get(b.evaluator.Evaluate(t.Context(), in(round), job.Attempt{}))(t)
		if got := filesAsked(b); got != want || e.Cached != 2-want {
			t.Errorf("%s: %d files fetched, %d from the cache; want %d fetched of 2", round, got, e.Cached, want)
		}
	}
	evaluated(b, "r1", 2)
	for _, c := range []struct {
		round  string
		change func(*job.Manifest)
		scorer string
		want   int
	}{
		{"nothing", func(*job.Manifest) {}, b.scorer.Version(), 0},
		{"another-instant", func(m *job.Manifest) { m.AsOf = asOf.Add(time.Hour) }, b.scorer.Version(), 0},
		{"another-registry", func(m *job.Manifest) { m.Registry = []byte(`{"a/b": {"emission_share": 0.25}}`) }, b.scorer.Version(), 0},
		{"a-token-weight", func(m *job.Manifest) {
			m.Tokens = bytes.Replace(m.Tokens, []byte(`"function_declaration": `), []byte(`"function_declaration": 1`), 1)
		}, b.scorer.Version(), 2},
		{"a-language-weight", func(m *job.Manifest) {
			m.Languages = bytes.Replace(m.Languages, []byte(`"weight": 2`), []byte(`"weight": 1`), 1)
		}, b.scorer.Version(), 2},
		{"unloadable", func(m *job.Manifest) { m.Unloadable = nil }, b.scorer.Version(), 2},
		{"grammars", func(*job.Manifest) {}, "1-other-grammars", 2},
		{"scorer-version", func(*job.Manifest) {}, "9" + b.scorer.Version()[1:], 2},
	} {
		worker := *b
		worker.connect(t, c.scorer)
		worker.plan(t, c.round, c.change)
		evaluated(&worker, c.round, c.want)
	}
	other := *b
	other.serve(t, named(2, "other"))
	other.connect(t, b.scorer.Version())
	other.plan(t, "head")
	evaluated(&other, "head", 2)
	evaluated(b, "r1", 0) // the former ones are still there
}

// Four jobs of one worker need the same pull requests at once; it has one place
// for files, which nobody holds who waits for another.
func TestAWorkerFetchesAPullRequestOnce(t *testing.T) {
	t.Parallel()
	const pulls = 12
	b := setup(t, named(pulls, "h"), func(c *evaluate.Config) { c.HeldFiles = 1 })
	var group errgroup.Group
	all := make([]job.Evaluation, 4)
	for i := range all {
		group.Go(func() (err error) {
			all[i], err = b.evaluator.Evaluate(t.Context(), one(), job.Attempt{})
			return err
		})
	}
	must.Do(t, group.Wait())
	if got := filesAsked(b); got != pulls {
		t.Errorf("%d files fetched, want each of %d once", got, pulls)
	}
	cached := 0
	for _, e := range all {
		cached += e.Cached
		if got, want := encoded(t, e.Evaluation), encoded(t, all[0].Evaluation); got != want {
			t.Errorf("whoever fetched makes a difference:\n%s", cmp.Diff(want, got))
		}
	}
	if cached != 3*pulls {
		t.Errorf("%d pull requests came from others, want %d", cached, 3*pulls)
	}
}

// While a fetch holds the process's only place for files, what the cache has
// needs none.
func TestACacheHitHoldsNoFiles(t *testing.T) {
	t.Parallel()
	w := named(3, "h")
	created := asOf.Add(-time.Hour)
	merged := asOf.Add(-time.Minute)
	main := "main"
	sha := "s"
	w.AddPull("108", mirrorsim.Pull{
		RepoFullName: "a/b", Number: 99, State: "MERGED", AuthorGitHubID: "108", CreatedAt: created, MergedAt: &merged,
		BaseRef: &main, HeadSHA: &sha, BaseSHA: &sha, ScoringDataStored: true,
	})
	b := setup(t, w, func(c *evaluate.Config) { c.HeldFiles = 1 })
	must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
	b.server.Reset()
	must.Do(t, b.server.FailFirst("files:a/b#99", -1, mirrorsim.FaultStall))
	other := one()
	other.GitHubID = "108"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group errgroup.Group
	group.Go(func() error {
		_, err := b.evaluator.Evaluate(ctx, other, job.Attempt{})
		if ctx.Err() == nil {
			return fmt.Errorf("the files that do not come ended: %w", err)
		}
		return nil
	})
	must.Until(t.Context(), t, "it asks for the files", func() bool { return filesAsked(b) > 0 })
	e := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
	if e.Cached != 3 {
		t.Errorf("%d from the cache, want 3", e.Cached)
	}
	cancel()
	must.Do(t, group.Wait())
}

// The attempt's span says what the cache had.
//
//nolint:paralleltest // the tracer provider is the process's
func TestTheSpanSaysWhatTheCacheHad(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSyncer(spans)))
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	b := setup(t, named(2, "h"))
	for _, want := range []string{"miss", "hit"} {
		spans.Reset()
		must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
		var got []string
		for _, span := range spans.GetSpans() {
			if span.Name != "evaluate" {
				continue
			}
			for _, a := range span.Attributes {
				if a.Key == "score.cache.hits" || a.Key == "score.cache.misses" {
					got = append(got, fmt.Sprintf("%s %s", a.Key, a.Value.String()))
				}
			}
			for _, event := range span.Events {
				line := event.Name
				for _, a := range event.Attributes {
					line += " " + a.Value.String()
				}
				got = append(got, line)
			}
		}
		n := map[string][2]int{"miss": {0, 2}, "hit": {2, 0}}[want]
		expected := []string{
			fmt.Sprintf("score.cache.hits %d", n[0]), fmt.Sprintf("score.cache.misses %d", n[1]),
			"score cache a/b 1 " + want, "score cache a/b 2 " + want,
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want, diff)
		}
	}
}

// Scores are kept under the commits that the answer names, not under those that
// a list has named.
func TestKeptUnderTheAnswersCommits(t *testing.T) {
	t.Parallel()
	world := func(listed string) *mirrorsim.World {
		w := mirrorsim.NewWorld("rebased", asOf)
		w.Registry = []byte(`{"a/b": {"emission_share": 0.5}}`)
		created := asOf.Add(-2 * time.Hour)
		merged := created.Add(time.Minute)
		main := "main"
		head := "h"
		answered := "rebased"
		w.AddPull("107", mirrorsim.Pull{
			RepoFullName: "a/b", Number: 1, State: "MERGED", AuthorGitHubID: "107", CreatedAt: created, MergedAt: &merged, BaseRef: &main,
			DefaultBranch: &main, HeadSHA: &head, MergeBaseSHA: &listed, ScoringDataStored: true, Additions: 1,
		})
		f := files(1)
		f.HeadSHA, f.MergeBaseSHA = &head, &answered
		w.AddFiles(f)
		return w
	}
	b := setup(t, world("before"))
	for range 2 { // the list's own commits have nothing
		got := must.Get(b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}))(t)
		if got.Cached != 0 || len(got.Missing) != 0 {
			t.Errorf("%d cached, missing %v; want it fetched", got.Cached, got.Missing)
		}
	}
	other := *b
	other.serve(t, world("rebased"))
	other.connect(t, b.scorer.Version())
	other.plan(t, "rebased")
	got := must.Get(other.evaluator.Evaluate(t.Context(), in("rebased"), job.Attempt{}))(t)
	if got.Cached != 1 {
		t.Errorf("%d cached, want what is kept under the answer's commits", got.Cached)
	}
}
