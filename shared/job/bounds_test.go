package job_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
)

// A record whose worker tells nonsense can be added up and shown.
func TestARecordTellsWithinBounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 1<<20)
	for name, n := range map[string]int{"huge": math.MaxInt, "negative": math.MinInt} {
		told := job.Record{
			Version: job.Version, Phase: job.Running, Requests: n, Expected: n, Left: n, Refused: long,
			Claim:   &job.Claim{ID: "c", For: time.Duration(n), Stall: &job.Stall{Why: long, For: time.Duration(n)}},
			Failure: &job.Failure{Error: long, Delay: time.Duration(n)},
		}
		got := must.Get(job.DecodeRecord(must.Get(json.Marshal(told))(t)))(t)
		for _, requests := range []int{got.Requests, got.Expected, got.Left} {
			if requests < 0 || requests > 1_000_000 {
				t.Errorf("%s: %d requests, want 0 to a million", name, requests)
			}
		}
		for _, d := range []time.Duration{got.Claim.For, got.Claim.Stall.For, got.Failure.Delay} {
			if d < 0 || d > 24*time.Hour {
				t.Errorf("%s: it waits %s, want 0 to a day", name, d)
			}
		}
		for _, text := range []string{got.Refused, got.Claim.Stall.Why, got.Failure.Error} {
			if len(text) > 5000 || !utf8.ValidString(text) || !strings.HasSuffix(text, "é …") {
				t.Errorf("%s: a text of %d bytes that ends in %q, want a short one", name, len(text), text[len(text)-9:])
			}
		}
	}
}

// What a worker can have to tell stays as it is.
func TestABoundedRecordIsTheSame(t *testing.T) {
	t.Parallel()
	want := job.Record{
		Version: job.Version, Phase: job.Running, Requests: 12, Expected: 900, Left: 880, Refused: strings.Repeat("x", 2000),
		Claim:   &job.Claim{ID: "c", For: 30 * time.Second, Stall: &job.Stall{Why: "503", For: 20 * time.Second}},
		Failure: &job.Failure{Error: strings.Repeat("y", 2004), Delay: 5 * time.Minute},
	}
	got := must.Get(job.DecodeRecord(must.Get(json.Marshal(want))(t)))(t)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
