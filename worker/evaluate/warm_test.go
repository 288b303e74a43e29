package evaluate_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
)

// warmUp begins a warm-up of the bundle's world.
func (b *bundle) warmUp(t *testing.T) job.Warm {
	t.Helper()
	languages, weights := tokens.DefaultWeights()
	must.Do(t, b.bus.WarmUps.Begin(t.Context(), job.WarmUp{ID: "w1", Until: time.Now().Add(time.Hour), Share: 1}, job.Manifest{
		AsOf: asOf, Mirror: b.server.URL, Registry: b.world.Registry, Languages: languages, Tokens: weights, Unloadable: []string{"csharp"},
	}))
	must.Do(t, b.evaluator.Prepare(t.Context(), "w1"))
	return job.Warm{WarmUp: "w1", UID: 7, GitHubID: "107"}
}

// What was warmed up is not fetched by the round, whose evaluation is that of a worker
// without a cache; and every permit was the background's.
func TestAWarmUpLeavesTheRoundNoFiles(t *testing.T) {
	t.Parallel()
	const pulls = 5
	cold := setup(t, named(pulls, "h"))
	want := must.Get(cold.evaluator.Evaluate(t.Context(), in("r1"), job.Attempt{}))(t)
	b := setup(t, named(pulls, "h"))
	background := &free{}
	fetched := must.Get(b.evaluator.Warm(t.Context(), b.client.Background(background), b.warmUp(t)))(t)
	if asked := filesAsked(b); fetched != pulls || asked != pulls {
		t.Errorf("%d fetched, the mirror was asked for %d; want %d each", fetched, asked, pulls)
	}
	if b.meter.taken() != 0 || background.taken() != pulls+2 {
		t.Errorf("%d permits of the round and %d of the background, want none and %d", b.meter.taken(), background.taken(), pulls+2)
	}
	got := must.Get(b.evaluator.Evaluate(t.Context(), in("r1"), job.Attempt{}))(t)
	if asked := filesAsked(b); asked != pulls {
		t.Errorf("the round asked for %d files, want none", asked-pulls)
	}
	got.Cached, want.Cached = 0, 0
	if diff := cmp.Diff(string(must.Get(json.Marshal(want))(t)), string(must.Get(json.Marshal(got))(t))); diff != "" {
		t.Errorf("the evaluation (-without +with a warm-up):\n%s", diff)
	}
	if again := must.Get(b.evaluator.Warm(t.Context(), b.client, b.warmUp(t)))(t); again != 0 {
		t.Errorf("a second warm-up fetched %d, want none", again)
	}
}

// A worker of another mirror, or one whose warm-up has been replaced, takes no part.
func TestAWarmUpOfAnother(t *testing.T) {
	t.Parallel()
	b := setup(t, named(1, "h"))
	must.Do(t, b.bus.WarmUps.Begin(t.Context(), job.WarmUp{ID: "w2", Until: time.Now().Add(time.Hour)}, job.Manifest{Mirror: "http://other"}))
	if err := b.evaluator.Prepare(t.Context(), "w2"); err == nil {
		t.Error("a warm-up of another mirror is worked on")
	}
	if err := b.evaluator.Prepare(t.Context(), "w1"); !jobstream.Damaged(err) {
		t.Errorf("the inputs of a former warm-up read as %v", err)
	}
}
