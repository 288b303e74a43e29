package bucket_test

import (
	"testing"

	"mirrorfleet/shared/ratelimit/bucket"
)

// TestBatch is how many slots a call asks for.
func TestBatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                               string
		waiting, jitter, interval, horizon int64
		want                               int64
	}{
		{"the mirror's figures", 64, 250_000, 213_542, 10_000_000, 1},
		{"nobody in line yet", 0, 250_000, 1000, 10_000_000, 1},
		{"fewer than there are slots in a fifth of the jitter", 7, 250_000, 1000, 10_000_000, 7},
		{"slots in a fifth of the jitter, both ends", 64, 250_000, 1000, 10_000_000, 51},
		{"slots exactly a fifth apart", 64, 250_000, 50_000, 10_000_000, 2},
		{"slots further apart than a fifth", 64, 250_000, 50_001, 10_000_000, 1},
		{"a horizon shorter than the jitter", 64, 250_000, 1000, 100_000, 21},
	} {
		figures := bucket.Figures{Interval: test.interval, Horizon: test.horizon}
		if got := bucket.Batch(test.waiting, test.jitter, figures); got != test.want {
			t.Errorf("%s: %d slots, want %d", test.name, got, test.want)
		}
	}
}
