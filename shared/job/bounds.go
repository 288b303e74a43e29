package job

import (
	"slices"
	"time"

	"mirrorfleet/shared/bounded"
)

// Bounds of the values that workers report on a record. No real job comes near them. They
// keep a broken worker from spoiling the totals that producers show of a round.
const (
	maxRequests = 1_000_000
	maxWait     = 24 * time.Hour
	maxText     = 4 << 10 // bytes
)

// bounded is the record with its informative values within bounds. Values that decide a
// transition are not touched.
func (r Record) bounded() Record {
	for _, requests := range []*int{&r.Requests, &r.Expected, &r.Left} {
		*requests = within(*requests)
	}
	r.Refused = shortened(r.Refused)
	if r.Failure != nil {
		f := *r.Failure
		f.Error, f.Delay = shortened(f.Error), wait(f.Delay)
		r.Failure = &f
	}
	if r.Claim != nil {
		c := *r.Claim
		c.For = wait(c.For)
		if c.Stall != nil {
			c.Stall = &Stall{Why: shortened(c.Stall.Why), For: wait(c.Stall.For)}
		}
		r.Claim = &c
	}
	if len(r.Attempts) > 0 {
		list := slices.Clone(lastAttempts(r.Attempts))
		for i := range list {
			list[i] = list[i].bounded()
		}
		r.Attempts = list
	}
	return r
}

func within(requests int) int { return min(max(requests, 0), maxRequests) }

func wait(d time.Duration) time.Duration { return min(max(d, 0), maxWait) }

func shortened(text string) string { return bounded.Text(text, maxText) }
