package view_test

import (
	"testing"
	"time"

	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/must"
)

// The time that a replay has taken is since it began, and not since the round was planned, which
// may be months ago.
func TestElapsedTimeIsOfTheRun(t *testing.T) {
	t.Parallel()
	b := roundtest.Start(t)
	r := b.Incomplete(t, roundtest.Now)
	since := roundtest.Now.Add(183 * 24 * time.Hour)
	b.Replaying(t, r.Round, since)
	now := since.Add(time.Minute)
	f := must.Get(view.NewFollow(t.Context(), b.Bus, r.Round, now))(t)
	if m := f.Watch.Begin(t.Context(), now); m.Now.Sub(m.Started) != time.Minute {
		t.Errorf("a replay of a minute has taken %s", m.Now.Sub(m.Started))
	}
	m := b.Plan(t, roundtest.Now)
	m.Round += "-2"
	must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), m))
	f = must.Get(view.NewFollow(t.Context(), b.Bus, m.Round, now))(t)
	if got := f.Watch.Begin(t.Context(), now).Started; !got.Equal(m.PlannedAt) {
		t.Errorf("a round that was planned at %s has begun at %s", m.PlannedAt, got)
	}
}

// A concluded round that is watched is shown as concluded, with how long it took, and not
// with the time since it was planned.
func TestWatchOfAConcludedRound(t *testing.T) {
	t.Parallel()
	b := roundtest.Start(t)
	b.Work(t)
	r := b.Concluded(t, time.Now())
	ctx := roundtest.Deadline(t)
	f := must.Get(view.NewFollow(ctx, b.Bus, r.Round, time.Now()))(t)
	end := must.Get(f.Run(ctx, func(view.Event) error { return nil }))(t)
	m := f.Watch.Begin(ctx, time.Now().Add(3*time.Hour))
	if left := m.Remaining(); left.Why != "concluded" || end.Seconds == nil || m.Took.Round(time.Second).Seconds() > *end.Seconds+1 || m.Took <= 0 {
		t.Errorf("shown as %+v after %s, want concluded, and %v s", left, m.Took, end.Seconds)
	}
}
