package gateway_test

import (
	"slices"
	"testing"
	"time"

	"mirrorfleet/worker/mirrorgate/gateway"
)

// A client that reads 256 KiB a second is never too slow; one that is behind uses up its
// patience, and one that was quick has saved no more than that.
func TestPace(t *testing.T) {
	t.Parallel()
	const patience = 10 * time.Second
	for name, c := range map[string]struct {
		waits []time.Duration
		gone  int
		want  time.Duration
	}{
		"quick":               {slices.Repeat([]time.Duration{time.Millisecond}, 1000), 32 << 10, patience},
		"just quick enough":   {slices.Repeat([]time.Duration{time.Second / 8}, 1000), 32 << 10, patience},
		"half of that":        {slices.Repeat([]time.Duration{time.Second / 4}, 40), 32 << 10, patience / 2},
		"a pause":             {[]time.Duration{4 * time.Second}, 256 << 10, 7 * time.Second},
		"a pause, then quick": {append([]time.Duration{4 * time.Second}, make([]time.Duration, 100)...), 32 << 10, patience},
		"does not read":       {[]time.Duration{patience}, 0, 0},
	} {
		if got := gateway.Pace(patience, c.waits, c.gone); got != c.want {
			t.Errorf("%s: %s are left, want %s", name, got, c.want)
		}
	}
}
