package main_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/ratelimit/redistest"
)

// One unreadable value or one missing manifest once stopped the schedule for ever. Now,
// whatever is lost of the last turn and its round, the next rounds begin and end. The
// producer puts back the values that it knows, and names the others once.
func TestTheScheduleOutlivesDamage(t *testing.T) {
	t.Parallel()
	world, sim := soundWorld(t, 0, 4)
	redis := redistest.Start(t)
	nats, bus := leased(t, 5*time.Second)
	_, js := jobstreamtest.Connect(t, nats, nil)
	args := append(install(t, world).flags(), "--nats", nats, "--redis", redis.URL(), "--mirror", sim.URL, "--limit-horizon", "1s",
		"--every", "2s", "--overdue", "1s", "--takeover", "2s", "--reconcile", "1s", "--listen", "127.0.0.1:0")
	rounds := bus.Bucket(job.BucketRounds)
	spoil := func(keys ...string) {
		for _, key := range keys {
			if _, err := rounds.PutString(t.Context(), key, "rubbish"); err != nil {
				t.Fatal(err)
			}
		}
	}

	first := serve(t, nil, args...) // no worker runs: each round ends as overdue
	until(t, "there is a turn", func() bool { turn, _, err := bus.Schedule.Turn(t.Context()); return err == nil && turn.Round != "" })
	lost := killInMidRound(t, bus, first)
	jobstreamtest.Remove(t, js, job.BucketRounds, job.ManifestKey(lost))
	spoil(job.HolderKey(job.Schedule), job.HolderKey(lost), job.LastKey)
	second := serve(t, nil, args...)
	ended := concludedAfter(t, bus, lost)
	if n := strings.Count(second.log.String(), "is lost: the schedule continues with its next turn"); n != 1 {
		t.Errorf("the lost round was named %d times, want once", n)
	}

	spoil(job.TurnKey, job.OutcomeKey(ended, 1), job.LastKey)
	until(t, "the turn is put back", second.says("the schedule's last turn is gone or unreadable: restoring it"))
	ended = concludedAfter(t, bus, ended)
	until(t, "the schedule says when it was last concluded", func() bool {
		last, _, err := bus.Schedule.LastConclusion(t.Context())
		return err == nil && !last.Concluded.IsZero()
	})

	for _, name := range []string{job.BucketRounds, job.BucketRecords} { // everything that names a round
		stream, err := js.Stream(t.Context(), "KV_"+name)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	concludedAfter(t, bus, ended)
	second.stop(t)
}

// concludedAfter waits until a round after the named one is concluded, and returns it.
func concludedAfter(t *testing.T, bus *jobstream.Bus, name string) (latest string) {
	t.Helper()
	until(t, "a round after "+name+" is concluded", func() bool {
		names, err := bus.Rounds.Concluded(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		latest = slices.Max(append(names, ""))
		return latest > name
	})
	return latest
}
