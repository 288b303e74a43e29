package session

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/shared/telemetry/telemetrytest"
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

// A miner that loses its usable token is counted and logged with the round that begins, and
// counted by the next leader. A round that somebody ran by hand does not count. The round
// after ends it.
func TestMinersThatFellOutAreCounted(t *testing.T) { //nolint:paralleltest // the meter provider is the process's
	reader, log := telemetrytest.Meter(t), &telemetrytest.Log{}
	bus, _ := jobstreamtest.Open(t, jobstreamtest.Start(t).NATSURL(), jobstream.Config{})
	v := &served{session: New(Config{Log: log.Logger()}), config: round.Config{Bus: bus}}
	counted := func() int64 {
		t.Helper()
		return telemetrytest.Points(t, reader, telemetry.MetricRoundFellOut, "")[""]
	}
	due := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, r := range []struct {
		name   string
		due    time.Time
		token  input.TokenState
		counts int64
	}{
		{"20260601t000000z-000001", due, input.TokenValid, 0},
		{"20260601t010000z-000002", time.Time{}, input.TokenNone, 0},
		{"20260601t020000z-000003", due.Add(2 * time.Hour), input.TokenRefused, 1},
		{"20260601t040000z-000004", due.Add(4 * time.Hour), input.TokenRefused, 0},
	} {
		m := job.Manifest{Round: r.name, Due: r.due, Miners: []input.Miner{{UID: 5, Hotkey: "h5", GitHubID: "105", Token: r.token}}}
		if !r.due.IsZero() {
			v.tellFellOut(t.Context(), m)
			if got := counted(); got != r.counts {
				t.Errorf("round %s begins: %d fell out, want %d", r.name, got, r.counts)
			}
		}
		must.Do(t, bus.Rounds.CreateManifest(t.Context(), m))
		telemetry.MinersFellOut(t.Context(), 9)
		v.countFellOut(t.Context())
		if got := counted(); got != r.counts {
			t.Errorf("round %s, by the next leader: %d fell out, want %d", r.name, got, r.counts)
		}
	}
	if said := log.String(); log.Count("miners have lost their usable token") != 1 || !strings.Contains(said, "20260601t020000z-000003") || !strings.Contains(said, "first=[5]") {
		t.Errorf("the log says %s\nwant miner 5 named once, in the third round", said)
	}
}
