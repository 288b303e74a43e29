// Package ratelimit meters the requests of a whole fleet: a token bucket of
// burst one per egress, kept in Redis, that every process of the egress draws
// its permits from.
//
// # Guarantees
//
// A permit is the right to send one request between its slot and its use-by, no
// more than Config.Jitter apart. Slots are at least one interval apart, whatever
// the number of processes. So no 10 seconds see more than b + r·(W+J) requests,
// by fixed windows of any phase, by a sliding log and by the two-window
// estimate; the constructor refuses parameters for which that exceeds the limit
// less its spare. docs/limit.md has the proof.
//
// Nobody polls: one call to Redis reserves the next slot and tells how long to
// wait for it. A process holds one reservation of each class at a time and asks again
// when it has used that; its waiters are served first in, first out. A reservation whose
// waiter has gone is handed to the next if it can still be used, and is lost
// otherwise.
//
// The round goes first: a [Background] takes only slots that no process of the round
// wants, and those that are its own by right, one in Config.Minimum.
//
// # States
//
// A [Limiter] is metering, or blocked while Redis cannot be reached or answers
// with errors ([Limiter.Stats] tells since when and why; [Limiter.Check] finds out
// for an idle process, and spends nothing), or held off because its parameters
// are not those in force, or closed. Beside that the bucket may be cooling down
// because the mirror asked for it, or held by hand ([Operator]): then what processes
// have reserved is void as soon as they hear of it, and slots begin at the end of
// that, at the normal pace.
//
// # How it fails
//
// Closed: without an answer from Redis there is no permit. Permit waits, asks
// again with growing pauses of at most half a second, and returns an error only
// when its context ends or the limiter is closed. An answer that did not arrive
// in time is a slot spent; the request is not sent again by the client. A
// bucket whose state was lost or cannot be trusted starts after one horizon, see
// package bucket. What the packages below it decide is pure; only this package
// talks to Redis and looks at the clock.
package ratelimit
