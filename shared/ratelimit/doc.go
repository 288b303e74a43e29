// Package ratelimit gives each request of the fleet its permit, so that the fleet stays
// under the mirror's limit. Each egress has one token bucket of burst one in Redis. All
// processes behind the egress draw their permits from it.
//
// # Guarantees
//
// A permit is the right to send one request between its slot and its use-by, no more than
// Config.Jitter apart. Slots are at least one interval apart, for any number of processes.
// So no 10 seconds see more than b + r·(W+J) requests, by fixed windows of any phase, by a
// sliding log and by the two-window estimate. The constructor refuses parameters for which
// that exceeds the limit less its spare. docs/limit.md has the proof.
//
// No process polls. One call to Redis reserves the next slot and returns how long to wait
// for it. A process holds one reservation of each class at a time and asks again after it
// has used that one. Its waiters are served first in, first out. If a waiter gives up, its
// reservation goes to the next waiter, or is lost if it can no longer be used in time.
//
// The round has precedence. A [Background] takes only slots that no process of the round
// wants, and its guaranteed share: one slot in Config.Minimum.
//
// # States
//
// A [Limiter] is in one of these states:
//
//   - metering
//   - blocked: Redis cannot be reached or answers with errors. [Limiter.Stats] says since
//     when and why. [Limiter.Check] finds out for an idle process, and spends no slot.
//   - held off: its parameters are not those in force
//   - closed
//
// The bucket itself may be cooling down because the mirror asked for it, or held by an
// operator ([Operator]). Either makes every reservation void as soon as its process learns
// of the stop. Slots begin again when the stop ends, at the normal pace.
//
// # Failures
//
// The limiter fails closed: without an answer from Redis there is no permit. Permit waits,
// asks again with growing pauses of at most half a second, and returns an error only when
// its context ends or the limiter is closed. An answer that arrives too late costs one
// slot; the Redis client never resends the call. A bucket whose state was lost or cannot be
// trusted starts after one horizon (package bucket).
//
// The decisions are pure and live in package bucket. Only this package talks to Redis and
// reads the clock.
package ratelimit
