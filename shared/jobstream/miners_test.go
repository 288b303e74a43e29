package jobstream_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
)

// Stored evaluations come back as they were kept, and dropped ones do not. An unreadable
// one (damaged, without a version, of a later version, of another miner) counts as
// absent. No round fails because of it, and one log line names all of them.
func TestStoredEvaluations(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	keep := func(uid int) scoring.StoredChange {
		return scoring.StoredChange{UID: uid, Evaluation: &scoring.StoredEvaluation{
			UID: uid, Hotkey: "hk", GitHubID: "42", Merged: []scoring.ScoredPullRequest{{Repository: "a/b", Number: uid}},
		}}
	}
	must.Do(t, b.bus.Miners.Change(b.ctx, jobstream.Origin{Round: "r"}, []scoring.StoredChange{keep(5), keep(6), keep(7), keep(8)}))
	for range 2 { // doing it twice is doing it once
		must.Do(t, b.bus.Miners.Change(b.ctx, jobstream.Origin{Round: "r"}, []scoring.StoredChange{keep(5), {UID: 6}}))
	}
	packer := must.Get(zstd.NewWriter(nil))(t)
	defer packer.Close()
	for key, value := range map[string][]byte{
		"7":     []byte("rubbish"),
		"8":     packer.EncodeAll([]byte(`{"evaluation":{"uid":8}}`), nil), // of no version
		"9":     packer.EncodeAll([]byte(`{"version":99,"evaluation":{"uid":9}}`), nil),
		"10":    packer.EncodeAll([]byte(`{"version":1,"evaluation":{"uid":11}}`), nil),
		"11":    packer.EncodeAll([]byte(`{"version":1,"evaluation":{"uid":"eleven"}}`), nil),
		"12":    packer.EncodeAll([]byte(`{"version":1`), nil),
		"miner": packer.EncodeAll([]byte(`{"version":1}`), nil),
	} {
		must.Get(b.bus.Bucket(job.BucketMiners).Put(b.ctx, key, value))(t)
	}
	got := must.Get(b.bus.Miners.Evaluations(b.ctx))(t)
	if diff := cmp.Diff(map[int]scoring.StoredEvaluation{5: *keep(5).Evaluation}, got); diff != "" {
		t.Errorf("stored evaluations (-want +got):\n%s", diff)
	}
	if text := b.log.String(); strings.Count(text, "count as absent") != 1 || !strings.Contains(text, "count=7") {
		t.Errorf("logged:\n%s\nwant one line that counts 7", text)
	}
	// The evaluations that a round stores are readable again.
	must.Do(t, b.bus.Miners.Change(b.ctx, jobstream.Origin{Round: "r"}, []scoring.StoredChange{keep(8)}))
	if got, err := b.bus.Miners.Evaluations(b.ctx); err != nil || len(got) != 2 {
		t.Errorf("after another round: %d stored evaluations and %v, want 2", len(got), err)
	}
}
