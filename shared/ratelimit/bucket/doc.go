// Package bucket decides when the requests of an egress may leave: a token
// bucket of burst one, kept as the instant of the next free slot. It is pure:
// the time, the server's run id and the state come in as arguments, so that
// every decision can be replayed, compared with the script that Redis runs, and
// driven for days in virtual time.
//
// Two sides. [Decide] is what the server does with one request: the script of
// package ratelimit is equal to it, step by step. [Session] is what a process
// remembers between its requests and what it makes of an answer: when it may
// send, and until when.
//
// # Guarantees
//
// Slots that are granted lie at least one interval apart, for any number of processes
// and requests. A slot is never granted more than one horizon ahead. With each request
// arriving within J of its slot, any interval of length W therefore sees at most
// 1 + r·(W+J) arrivals, and so do fixed windows of any phase, a sliding log, and
// the two-window estimate.
//
// # Classes
//
// The round takes the next slot. The background takes it only when the round has not
// had one for two intervals, or when it is Request.Right after the background's last;
// that is all that makes them different, so the class of a request moves no slot nearer
// to another. The round writes down nothing for the background's sake.
//
// # Unknown state
//
// A state that cannot be trusted is never a full bucket. What was granted before
// is unknown then, except that it lies within one horizon; so the bucket starts
// again at now + horizon + one interval, when all of it is past. Such a state
// is: one that is missing; one written under another run id (a restart from an
// older dump, a replica promoted); one whose next slot lies beyond what can have
// been granted; one lower than the asking process has seen.
//
// # Parameters
//
// The bucket keeps the parameters by which it grants. A caller with others is told
// so and granted nothing, until two horizons after the last caller that had them:
// then nothing that was granted by them is still to be used and none of them waits,
// and the bucket starts again by the caller's.
//
// # Clocks
//
// The server's clock may step. Taken at its word, a step back would stall the
// fleet, and a step forward would make slots free that others are still to use.
// The bucket keeps a time of its own that never goes back and never moves on by
// more than has passed for certain: what some process's monotonic clock measured
// since the bucket answered it. The server's clock is believed within
// Request.Tolerance of that, and a step becomes skew. A process that knows nothing
// of the bucket yet can vouch for nothing: unless the bucket was asked just now,
// for its first request no time has passed since. That costs a busy fleet up to a
// slot for each process that joins, and an idle one nothing.
//
// # What it cannot see
//
// Steps within the tolerance; the spare covers two in a window. Two
// servers that both believe to be primary grant twice. A server that tells no run
// id and comes back with an older state is noticed only by processes that have
// seen a newer one.
package bucket
