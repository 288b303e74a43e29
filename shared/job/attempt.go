package job

import (
	"context"
	"sync/atomic"
)

// Attempt is what may be known of the delivery of a job by whatever works on it.
// The zero Attempt is one that others follow and nobody counts.
type Attempt struct {
	// Final says that a failure of this attempt is the job's last: commit
	// what there is (a degraded evaluation) rather than fail.
	Final bool
	// Delivery counts the hand-outs of this message, from 1.
	Delivery uint64
	// Failures counts the attempts that failed before.
	Failures int
	// Expect notes on the record how many requests the attempt makes in all, once
	// the miner's list is known and again when more is found; may be nil. It is
	// for show: nothing depends on its success.
	Expect func(ctx context.Context, requests int)
	// Left is how many of them are still to come; may be nil. Whoever works keeps
	// it, and each sign of life tells it; below 0 for not known, as it is in the
	// beginning. What the mirror did not answer stays in it: another attempt asks
	// again.
	Left *atomic.Int64
	// Requests counts the requests made, for the record, however the attempt
	// ends; may be nil. Whoever works hands it to the mirror client.
	Requests *atomic.Int64
}
