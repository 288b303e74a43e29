package main_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/ratelimit/redistest"
)

// warming is servers, and a world before a warm-up by hand. The test can cut off its
// mirror.
type warming struct {
	world  *mirrorsim.World
	sim    *mirrorsim.Server
	mirror *nettest.Relay
	redis  *redistest.Server
	bus    *jobstream.Bus

	nats   string
	inputs []string // of producer warm and producer run
	common []string // of whoever sends
}

func warmingUp(t *testing.T, limit string) *warming {
	t.Helper()
	w := &warming{redis: redistest.Start(t)}
	w.world, w.sim = openWorld(t, 0, 8)
	w.mirror = nettest.NewRelay(t, w.sim.URL)
	w.nats, w.bus = leased(t, 5*time.Second)
	miners, registry, err := w.world.Write(t.TempDir())
	must.Do(t, err)
	w.inputs = []string{"--nats", w.nats, "--mirror", w.mirror.URL(), "--miners", miners, "--registry", registry}
	w.common = []string{"--redis", w.redis.URL(), "--limit-horizon", "1s", "--limit-requests", limit}
	return w
}

// work starts a worker.
func (w *warming) work(t *testing.T, name string) *worker {
	t.Helper()
	return work(t, name, nil, append([]string{"--nats", w.nats, "--mirror", w.mirror.URL(), "--listen", "127.0.0.1:0"}, w.common...)...)
}

// round runs a round over the world. All its jobs must succeed at the first attempt.
func (w *warming) round(t *testing.T) outcome.Result {
	t.Helper()
	e := run(t, "producer", slices.Concat([]string{"run", "--json", "--as-of", w.world.AsOf.Format(time.RFC3339Nano)}, w.inputs, w.common)...)
	result := concluded(t, w.bus, 1)
	if e.code != 0 || !result.Complete || result.Done != result.Planned || result.Retries != 0 {
		t.Errorf("exit %d, %d of %d done, %d repeated, want all, none repeated\n%s", e.code, result.Done, result.Planned, result.Retries, e.stderr)
	}
	return result
}

// without runs the same round on servers that never had a warm-up.
func (w *warming) without(t *testing.T) outcome.Result {
	t.Helper()
	cold := *w
	cold.redis = redistest.Start(t)
	cold.nats, cold.bus = leased(t, 5*time.Second)
	cold.inputs = append([]string{"--nats", cold.nats}, w.inputs[2:]...)
	cold.common = []string{"--redis", cold.redis.URL(), "--limit-horizon", "1s", "--limit-requests", "2000"} // nothing has to meet its middle
	worker := cold.work(t, "without a warm-up")
	defer worker.stop()
	return cold.round(t)
}

// sameOutcome wants an outcome to equal, byte for byte, that of a round without a
// warm-up.
func sameOutcome(t *testing.T, what string, without, with outcome.Result) {
	t.Helper()
	shown := func(r outcome.Result) string { return string(must.Get(json.MarshalIndent(r.Outcome, "", " "))(t)) }
	if diff := cmp.Diff(shown(without), shown(with)); diff != "" {
		t.Errorf("%s: outcome (-without +with a warm-up):\n%s", what, diff)
	}
}

// A warm-up loses what it needs: the score cache is deleted under it, or the mirror is
// away. The next round costs no more than one without a warm-up, and has the same
// outcome.
func TestADisturbedWarmUpCostsNothing(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(*testing.T, *warming, *worker){
		"no score cache": func(t *testing.T, w *warming, _ *worker) {
			t.Helper()
			nc := must.Get(nats.Connect(w.nats))(t)
			defer nc.Close()
			must.Do(t, must.Get(jetstream.New(nc))(t).DeleteKeyValue(t.Context(), job.BucketScores))
		},
		"no mirror": func(t *testing.T, w *warming, at *worker) {
			t.Helper()
			w.mirror.Cut()
			until(t, "the worker misses the mirror", func() bool { return strings.Contains(at.stderr.String(), "the mirror's breaker changed") })
			w.mirror.Mend()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := warmingUp(t, "100")
			worker := w.work(t, "server")
			warm := begin(t, "producer", append([]string{"warm", "--warm-up", "2m"}, w.inputs...)...)
			until(t, "the warm-up fetches files", func() bool { return fileRequests(w.sim) > 3 })
			disturb(t, w, worker)
			got := w.round(t)
			warm.end(t)
			worker.stop()
			want := w.without(t)
			if got.Requests > want.Requests {
				t.Errorf("the round made %d requests, without a warm-up %d", got.Requests, want.Requests)
			}
			t.Logf("%d requests, without a warm-up %d", got.Requests, want.Requests)
			sameOutcome(t, name, want, got)
		})
	}
}

// A round by hand takes precedence over a warm-up. The warm-up ends with miners left, the
// mirror sees nothing over its limit, and the outcome is that of a round without a
// warm-up.
func TestARoundByHandEndsAWarmUp(t *testing.T) {
	t.Parallel()
	w := warmingUp(t, "40") // of the 50 of the mirror's
	limited := must.Get(mirrorsim.Start(t.Context(), mirrorsim.Config{World: w.world, Limit: 50, Window: 10 * time.Second}))(t)
	t.Cleanup(func() { _ = limited.Close() })
	w.mirror.Redirect(strings.TrimPrefix(limited.URL, "http://"))
	first, second := w.work(t, "first"), w.work(t, "second")
	warm := begin(t, "producer", slices.Concat([]string{"warm", "--warm-up-share", "1"}, w.inputs)...)
	until(t, "the warm-up fetches files", func() bool { return fileRequests(limited) > 3 })
	got := w.round(t)
	if e := warm.end(t); e.code != 1 {
		t.Errorf("the warm-up: exit %d, want 1\n%s", e.code, e.stderr)
	}
	last := must.Get(w.bus.WarmUps.Last(t.Context()))(t)
	if last.Why != job.WarmUpRound || last.Left == 0 {
		t.Errorf("the warm-up ended as %+v, want that the round ended it with miners left", last)
	}
	seen := limited.Stats()
	if seen.OverLimit != 0 {
		t.Errorf("the mirror saw %+v, want none over its limit", seen)
	}
	for _, worker := range []*worker{first, second} {
		if status, body := page(t, worker.pages, "/readyz", ""); status != http.StatusOK {
			t.Errorf("/readyz: %d %s", status, body)
		}
		worker.stop()
	}
	t.Logf("%d requests of the round, %d in all, %d miners of the warm-up left", got.Requests, seen.Requests, last.Left)
	w.mirror.Redirect(strings.TrimPrefix(w.sim.URL, "http://"))
	sameOutcome(t, "a round by hand", w.without(t), got)
}
