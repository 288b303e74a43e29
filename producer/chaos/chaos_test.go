package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"mirrorfleet/producer/audit"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
)

// patience is how long one round may take before it counts as stuck.
const patience = 4 * time.Minute

// faults of the mirror that are worth another try.
const faults = "5xx=0.02,reset=0.01,cut=0.01,malformed=0.01,html=0.01,stall=0.003"

func TestMain(m *testing.M) { fleettest.Main(m, fleettest.Build{Race: true}) }

// TestChaos runs disturbed rounds and wants the outcome of an undisturbed one.
func TestChaos(t *testing.T) { //nolint:paralleltest // one fleet at a time is enough for a machine
	want, _ := round(t, "", nil)
	first, last := seeds(t)
	enough := time.Now().Add(last)
	for seed := first; seed < first+3 || time.Now().Before(enough); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			got, c := round(t, faults, &seed)
			t.Logf("seed %d, %d disturbances:\n%s", seed, c.acts, &c.transcript)
			if got != want {
				t.Errorf("another outcome than that of the undisturbed round:\ngot  %.2000s\nwant %.2000s", got, want)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// seeds reads the first seed and for how long to go on.
func seeds(t *testing.T) (first uint64, last time.Duration) {
	t.Helper()
	first = 1
	var err error
	if text := os.Getenv("MIRRORFLEET_CHAOS_SEED"); text != "" {
		if first, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("MIRRORFLEET_CHAOS_SEED is %q, want a whole number", text)
		}
	}
	if text := os.Getenv("MIRRORFLEET_CHAOS_TIME"); text != "" {
		if last, err = time.ParseDuration(text); err != nil {
			t.Fatalf("MIRRORFLEET_CHAOS_TIME is %q, want a duration such as 10m", text)
		}
	}
	return first, last
}

// result is what the producer prints of a concluded round.
type result struct {
	Complete bool            `json:"complete"`
	Planned  int             `json:"planned"`
	Done     int             `json:"done"`
	Outcome  json.RawMessage `json:"outcome"`
}

// round runs one round to its end, disturbed by a seed unless that is nil, and
// returns its outcome.
func round(t *testing.T, faults string, seed *uint64) (string, *chaos) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	f := startFleet(ctx, t, faults)
	c := &chaos{t: t, fleet: f, began: time.Now(), disturbed: map[string]bool{}}
	must.Do(t, f.producer.start())
	disturbing, calm := context.WithCancel(ctx)
	var disturber sync.WaitGroup
	if seed != nil {
		disturber.Go(func() { c.run(disturbing, *seed) })
	}
	r := f.result(ctx, t, c)
	calm()
	disturber.Wait()
	f.check(ctx, t, r)
	return string(r.Outcome), c
}

// result waits for the producer that is not killed before it ends.
func (f *fleet) result(ctx context.Context, t *testing.T, c *chaos) result {
	t.Helper()
	for ctx.Err() == nil {
		code, stdout, meant := f.producer.ended(ctx)
		if meant { // another one is started by whoever killed it
			within(ctx, 20*time.Millisecond)
			continue
		}
		if ctx.Err() != nil {
			break
		}
		var r result
		if err := json.Unmarshal(stdout, &r); err != nil || code != 0 {
			t.Fatalf("the producer ended with code %d and printed no complete outcome (%v): %.500s\n%s", code, err, stdout, &c.transcript)
		}
		return r
	}
	t.Fatalf("the round did not end within %s\n%s", patience, &c.transcript)
	return result{}
}

// check holds what every round must keep, disturbed or not.
func (f *fleet) check(ctx context.Context, t *testing.T, r result) {
	t.Helper()
	if !r.Complete || r.Done != r.Planned || r.Planned == 0 {
		t.Errorf("complete %t, %d of %d jobs done; want all", r.Complete, r.Done, r.Planned)
	}
	// An acknowledgement that was lost is made up for when the message comes again.
	if !until(ctx, func() bool { n, err := f.queued(ctx); return err == nil && n == 0 }) {
		t.Error("messages are left in the queue of a round that has ended")
	}
	f.audit(ctx, t)
	s := must.Get(fleettest.Stats(ctx, f.mirrorURL))(t)
	if s.OverLimit != 0 || s.Worst.Fixed > limit || s.Worst.Sliding > limit || s.Worst.TwoWindow > limit {
		t.Errorf("the mirror saw %+v, want nothing over %d in %s", s, limit, window)
	}
	t.Logf("the mirror saw %+v", s)
}

// audit holds that planned = done + failed + outstanding, by what NATS holds.
func (f *fleet) audit(ctx context.Context, t *testing.T) {
	t.Helper()
	rounds, err := f.bus.Rounds.List(ctx)
	if err != nil || len(rounds) != 1 {
		t.Fatalf("rounds %v, %v; want one: a producer that is killed is followed by one that goes on", rounds, err)
	}
	held := must.Get(f.bus.Inventory(ctx, rounds[0]))(t)
	if a := audit.Of(held); !a.Holds() {
		t.Errorf("%s", a)
	}
}
