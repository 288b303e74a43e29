package parity_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/must"
)

// TestRealPath runs rounds through the whole product: a producer with NATS and
// Redis, worker processes and their token-scoring children, against a simulated
// mirror, one state directory a case, so that stored evaluations pass from
// round to round through their bucket. Each outcome must be the validator's,
// and the same bytes as that of the pure functions, reasons and all.
//
// A case's failed requests are answered with 400 here: they fail for good, and
// nobody waits for other attempts (TestRealPathRetried does).
//
// By default it runs a handful that meets everything which a case can hold;
// with MIRRORFLEET_PARITY_REAL=all (make parity) every case.
func TestRealPath(t *testing.T) { //nolint:tparallel // the parser outlives the group
	t.Parallel()
	parser := startScorer(t)
	t.Run("cases", func(t *testing.T) {
		for _, file := range realCases(t) {
			t.Run(caseName(file), func(t *testing.T) {
				t.Parallel()
				realPath(t, file, "400", parser)
			})
		}
	})
}

// TestRealPathRetried runs a case whose failed requests are answered with 500:
// the workers try again until their attempts are used up, and then the outcome
// is the same. It takes two minutes of waiting, so only with all cases.
func TestRealPathRetried(t *testing.T) {
	t.Parallel()
	if !allReal() {
		t.Skip("waits for two minutes; MIRRORFLEET_PARITY_REAL=all (make parity) runs it")
	}
	files := must.Get(caseFiles(casesDir()))(t)
	parser := startScorer(t)
	for _, file := range files {
		w := must.Get(readCase(file))(t)
		if has := w.holds(); has["fails pulls"] && has["fails files"] && has["stored evaluations"] {
			realPath(t, file, "500", parser)
			return
		}
	}
	t.Skip("no case of this folder has failed look-ups of both kinds and a stored evaluation")
}

// realPath plays all rounds of a case and compares each.
func realPath(t *testing.T, file, fault string, parser scorer) {
	t.Helper()
	w := must.Get(readCase(file))(t)
	file = must.Get(filepath.Abs(file))(t)
	state := filepath.Join(t.TempDir(), "state")
	for i, pure := range run(t, parser, w) {
		if i > 0 && w.failsFiles(i) {
			forgetScores(t, state)
		}
		world := simulate(t, file, i, fault)
		got := produce(t, state, world, w.Rounds[i].AsOf)
		world.Stop()
		w.compare(t, i, got.outcome)
		if got.Planned != got.Done+got.Failed {
			t.Errorf("round %d: planned %d, done %d, failed %d", i, got.Planned, got.Done, got.Failed)
		}
		want := must.Get(json.Marshal(pure.outcome))(t)
		if got.compact != string(want) {
			t.Errorf("round %d: another outcome than that of the pure functions\n%s", i, firstDifference(got.compact, string(want)))
		}
		t.Logf("round %d: %d jobs, %d requests, %d attempts repeated", i, got.Planned, got.Requests, got.Retries)
	}
}

// forgetScores empties the score cache: the validator has none, so that files
// which fail in a later round leave it without figures that we still know.
func forgetScores(t *testing.T, state string) {
	t.Helper()
	servers := must.Get(local.Start(t.Context(), local.Config{Dir: state}))(t)
	defer servers.Close()
	nc := must.Get(jobstream.Connect(t.Context(), servers.NATSURL(), "parity", jobstream.ConnectConfig{}))(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err == nil {
		err = js.DeleteKeyValue(t.Context(), job.BucketScores)
	}
	must.Do(t, err)
}

// failsFiles says whether the mirror fails to give files in a round.
func (w *world) failsFiles(round int) bool {
	return slices.ContainsFunc(w.Rounds[round].Fail, func(key string) bool { return strings.HasPrefix(key, "files:") })
}

func allReal() bool { return os.Getenv("MIRRORFLEET_PARITY_REAL") == "all" }

// realCases is every case, or the handful: in their order those that hold
// something which none before them did.
func realCases(t *testing.T) []string {
	t.Helper()
	files := must.Get(caseFiles(casesDir()))(t)
	if allReal() {
		return files
	}
	var handful []string
	missing := traits()
	for _, file := range files {
		w := must.Get(readCase(file))(t)
		has := w.holds()
		before := len(missing)
		missing = slices.DeleteFunc(missing, func(trait string) bool { return has[trait] })
		if len(missing) < before {
			handful = append(handful, file)
		}
		if len(missing) == 0 {
			return handful
		}
	}
	if casesDir() == ownCases {
		t.Errorf("no case holds %v", missing)
	}
	return handful
}

// traits is what the handful must hold between its cases.
func traits() []string {
	return []string{
		"stored evaluations", "shared account", "maintainers' cut", "scored issues", "unreachable identity", "other miners", "changing answers",
		"fails pulls", "fails issues", "fails open_issues", "fails files", "fails maintainers", "recycle uid", "issue treasury",
	}
}

// holds says which traits a case has.
func (w *world) holds() map[string]bool {
	has := map[string]bool{}
	for i, r := range w.Rounds {
		for _, key := range r.Fail {
			kind, _, _ := strings.Cut(key, ":")
			has["fails "+kind] = true
		}
		has["unreachable identity"] = has["unreachable identity"] || len(r.UnreachableIdentity) > 0
		has["other miners"] = has["other miners"] || r.Miners != nil
		has["changing answers"] = has["changing answers"] || r.Mirror != nil
		var expected struct {
			FromStored    []int            `json:"from_stored"`
			SharedAccount []int            `json:"shared_account"`
			Maintainers   map[string][]int `json:"maintainers"`
			Rewards       map[string]any   `json:"rewards"`
			Miners        map[string]struct {
				ScoredIssues []any `json:"scored_issues"`
			} `json:"miners"`
		}
		if json.Unmarshal(w.Expected[i], &expected) != nil {
			continue // the comparison will tell
		}
		for trait, holds := range map[string]bool{
			"stored evaluations": len(expected.FromStored) > 0, "shared account": len(expected.SharedAccount) > 0,
			"maintainers' cut": len(expected.Maintainers) > 0,
			"recycle uid":      expected.Rewards["0"] != nil, "issue treasury": expected.Rewards["111"] != nil,
		} {
			has[trait] = has[trait] || holds
		}
		for miner := range maps.Values(expected.Miners) {
			has["scored issues"] = has["scored issues"] || len(miner.ScoredIssues) > 0
		}
	}
	return has
}
