package job

import (
	"context"
	"sync/atomic"
)

// Attempt is what a handler may know of the delivery of its job. The zero Attempt is not
// the last one and counts nothing.
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
	// Left is how many of them are still to come; may be nil. The handler updates it, and
	// each heartbeat reports it. It begins below 0, which means unknown. A request that
	// the mirror did not answer stays in it: another attempt asks again.
	Left *atomic.Int64
	// Requests counts the requests made, for the record, however the attempt ends; may be
	// nil. The handler passes it to the mirror client.
	Requests *atomic.Int64
}
