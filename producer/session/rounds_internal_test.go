package session

import (
	"log/slog"
	"testing"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// A producer that led before put the turn back that it knew, though another had led
// since: turns whose rounds were held already were due once more.
func TestALostTurnIsNotPutBackFromThePast(t *testing.T) {
	t.Parallel()
	bus, _ := jobstreamtest.Open(t, jobstreamtest.Start(t).NATSURL(), jobstream.Config{})
	first := job.Manifest{Round: "20260601t000000z-000001", Due: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	second := job.Manifest{Round: "20260601t020000z-000002", Due: first.Due.Add(2 * time.Hour)}
	v := &served{
		session: New(Config{Log: slog.New(slog.DiscardHandler)}), config: round.Config{Bus: bus},
		recent: &recent{turn: job.Turn{Round: first.Round, Due: first.Due}, manifest: first},
	}
	for _, m := range []job.Manifest{first, second} {
		must.Do(t, bus.Rounds.CreateManifest(t.Context(), m))
		last := must.Get(v.Last(t.Context()))(t)
		if last.Round != m.Round || !last.Due.Equal(m.Due) {
			t.Errorf("the last turn is %+v, want that of round %s", last.Turn, m.Round)
		}
		must.Do(t, bus.Bucket(job.BucketRounds).Delete(t.Context(), job.TurnKey))
		v.recent.turn, v.recent.manifest = job.Turn{Round: first.Round, Due: first.Due}, first
	}
}
