package job

import (
	"fmt"
	"slices"
	"time"
)

// Cancel is what operators have ordered to end, now, in one run of a round. Orders are only
// added, never taken back: the producer that runs the round may have carried them out.
type Cancel struct {
	Version int    `json:"version"`
	Round   string `json:"round"`
	// Replay is the run: 0 for the round itself, n for its nth replay. An order says
	// nothing about later replays.
	Replay int           `json:"replay,omitempty"`
	Orders []CancelOrder `json:"orders"`
}

// CancelOrder is one order to end jobs.
type CancelOrder struct {
	// UIDs are the miners whose jobs end; none for the whole round.
	UIDs []int `json:"uids,omitempty"`
	// By is who gave the order: user@host, or over the API who the caller says, or else the
	// process that stored it.
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// Whole says that the order is for all jobs.
func (o CancelOrder) Whole() bool { return len(o.UIDs) == 0 }

// String says who gave the order, when and why.
func (o CancelOrder) String() string {
	text := "cancelled by " + o.By + " at " + o.At.UTC().Format(time.RFC3339)
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	return text
}

// Whole says that the whole run is cancelled.
func (c Cancel) Whole() bool { return slices.ContainsFunc(c.Orders, CancelOrder.Whole) }

// Of returns the first order that ends a miner's job; false if none does.
func (c Cancel) Of(uid int) (CancelOrder, bool) {
	for _, o := range c.Orders {
		if o.Whole() || slices.Contains(o.UIDs, uid) {
			return o, true
		}
	}
	return CancelOrder{}, false
}

// With returns c with another order; false if earlier ones have ordered all of it. Of an
// order for some miners only those are kept that no other order names.
func (c Cancel) With(o CancelOrder) (Cancel, bool) {
	if c.Whole() {
		return c, false
	}
	if !o.Whole() {
		o.UIDs = slices.DeleteFunc(slices.Clone(o.UIDs), func(uid int) bool { _, ordered := c.Of(uid); return ordered })
		if len(o.UIDs) == 0 {
			return c, false
		}
	}
	c.Orders = append(slices.Clip(c.Orders), o)
	return c, true
}

// Failure is the end of a job by an order: why, and what had become of the job.
func (o CancelOrder) Failure(record Record, now time.Time) Failure {
	text := fmt.Sprintf("%s; it was %s", o, record.Phase)
	if record.Failure != nil {
		text += "; before that: " + record.Failure.Error
	}
	return Failure{Class: Cancelled, At: now, Error: text}
}
