package view_test

import (
	"testing"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/ratelimit"
)

// Share and permits are of full cells that the bucket has lived through, those of the background
// apart.
func TestLimitShare(t *testing.T) {
	t.Parallel()
	state := ratelimit.State{
		Limit: 50, Window: 10 * time.Second,
		Use:           []int64{12, 47, 46, 47, 47, 47, 47, 46, 47, 47, 47, 47, 46, 47, 47, 47, 47, 46, 21},
		UseBackground: []int64{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 12, 11, 0, 0, 0, 1, 21},
	}
	for _, c := range []struct {
		age       time.Duration
		share, of float64

		permits, background int64
	}{
		{time.Hour, 280.0 / 300, 60, 280, 24},
		{25 * time.Second, 46.0 / 50, 10, 46, 1},
		{15 * time.Second, 0, 0, 0, 0},
	} {
		state.Age = c.age
		if got := view.BucketOf(state); got.Share != c.share || got.ShareOf != c.of {
			t.Errorf("at an age of %v the share is %v of %v s, want %v of %v s", c.age, got.Share, got.ShareOf, c.share, c.of)
		}
		if got := view.BucketOf(state); got.LastMinute != c.permits || got.LastMinuteBackground != c.background {
			t.Errorf("at an age of %v there were %d permits, %d of the background, want %d, %d",
				c.age, got.LastMinute, got.LastMinuteBackground, c.permits, c.background)
		}
	}
}
