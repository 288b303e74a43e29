package view_test

import (
	"testing"
	"time"

	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/must"
)

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
