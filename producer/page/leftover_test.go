package page_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// Whoever is stopped hears how the round stands, by what is stored of it: that it can be
// resumed only where it is, and nobody else is at it.
func TestWhoIsStoppedHearsHowTheRoundStands(t *testing.T) {
	t.Parallel()
	const name, me = "r1", "me-1"
	now := time.Now()
	plan := func(t *testing.T, bus *jobstream.Bus) {
		t.Helper()
		empty := json.RawMessage("{}")
		must.Do(t, bus.Rounds.CreateManifest(t.Context(), job.Manifest{Round: name, Registry: empty, Languages: empty, Tokens: empty}))
	}
	hold := func(t *testing.T, bus *jobstream.Bus, h job.Holder) {
		t.Helper()
		must.Get(bus.Holders.Set(t.Context(), name, h, 0))(t)
	}
	conclude := func(t *testing.T, bus *jobstream.Bus) {
		t.Helper()
		plan(t, bus)
		must.Do(t, bus.Outcomes.Put(t.Context(), name, 1, must.Get(json.Marshal(outcome.Result{Version: job.Version, Round: name, Revision: 1}))(t)))
	}
	for what, tt := range map[string]struct {
		make        func(*testing.T, *jobstream.Bus)
		was         bool
		now         time.Time
		says, serve string
	}{
		"never stored": {
			make: func(*testing.T, *jobstream.Bus) {},
			says: "nothing is stored of round r1: it had not begun", serve: "stopped: nothing is stored of round r1, and the next producer takes its turn",
		},
		"forgotten": {
			make: func(*testing.T, *jobstream.Bus) {}, was: true,
			says: "nothing is left of round r1: it was removed",
		},
		"stored and left": {
			make: func(t *testing.T, bus *jobstream.Bus) {
				t.Helper()
				plan(t, bus)
				hold(t, bus, job.Holder{Name: "me-1/a", For: time.Minute, Released: true})
			},
			says: "round r1 is stored: RESUME resumes it", serve: "stopped: round r1 is stored: the next producer resumes it",
		},
		"left, and the end of this producer's hold not confirmed": {
			make: func(t *testing.T, bus *jobstream.Bus) {
				t.Helper()
				plan(t, bus)
				hold(t, bus, job.Holder{Name: "me-1/a", For: time.Minute})
			},
			says: "round r1 is stored: RESUME resumes it",
		},
		"another producer runs it": {
			make: func(t *testing.T, bus *jobstream.Bus) {
				t.Helper()
				plan(t, bus)
				hold(t, bus, job.Holder{Name: "other-2/b", For: time.Minute})
			},
			says: "producer other-2 runs round r1; its last sign of life was at ", serve: "stopped: producer other-2 runs round r1; its last sign of life was at ",
		},
		"another producer died over it": {
			make: func(t *testing.T, bus *jobstream.Bus) {
				t.Helper()
				plan(t, bus)
				hold(t, bus, job.Holder{Name: "other-2/b", For: time.Second})
			},
			now:  now.Add(time.Hour),
			says: "round r1 is stored: RESUME resumes it",
		},
		"concluded meanwhile": {
			make: conclude,
			says: "round r1 is concluded, with revision 1", serve: "stopped: round r1 is concluded, with revision 1",
		},
		"a replay was begun": {
			make: func(t *testing.T, bus *jobstream.Bus) {
				t.Helper()
				conclude(t, bus)
				must.Do(t, bus.Rounds.CreateReplay(t.Context(), job.Replay{Round: name, Number: 1}))
			},
			says: "a replay of round r1 was begun: RESUME resumes it", serve: "stopped: round r1 is concluded, with revision 1",
		},
		"unreadable": {
			make: func(t *testing.T, bus *jobstream.Bus) {
				t.Helper()
				plan(t, bus)
				must.Get(bus.Bucket(job.BucketRounds).Put(t.Context(), job.ManifestKey(name), []byte("spoilt")))(t)
			},
			says: "the stored data of round r1 cannot be read: producer rounds lists the round",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			bus, _ := jobstreamtest.Open(t, jobstreamtest.Start(t).NATSURL(), jobstream.Config{})
			tt.make(t, bus)
			if tt.now.IsZero() {
				tt.now = now
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel() // as after a signal
			found := view.LeftoverOf(ended, bus, name, me, tt.was, tt.now)
			if got := page.After(found, "RESUME"); !strings.HasPrefix(got, tt.says) {
				t.Errorf("got %q, want %q", got, tt.says)
			}
			if got := page.AfterServe(found); tt.serve != "" && !strings.HasPrefix(got, tt.serve) {
				t.Errorf("serve says %q, want %q", got, tt.serve)
			}
		})
	}
}

// While NATS is away, only what was known before is said.
func TestWhoIsStoppedWithoutNATSHearsWhatIsKnown(t *testing.T) {
	t.Parallel()
	servers := jobstreamtest.Start(t)
	bus, _ := jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{})
	servers.Stop()
	for was, want := range map[bool]string{
		false: "it is unknown whether round r1 is stored, because NATS does not answer",
		true:  "round r1 was stored before, but its state now is unknown, because NATS does not answer",
	} {
		if got := page.After(view.LeftoverOf(t.Context(), bus, "r1", "me", was, time.Now()), "RESUME"); !strings.HasPrefix(got, want) {
			t.Errorf("stored before: %t: got %q, want %q", was, got, want)
		}
	}
}
