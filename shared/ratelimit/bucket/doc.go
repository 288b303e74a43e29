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
// Slots that are granted lie at least one interval apart, whoever asks and
// however often. A slot is never granted more than one horizon ahead. With each
// request arriving within J of its slot, any interval of length W therefore sees
// at most 1 + r·(W+J) arrivals, and so do fixed windows of any phase, a sliding
// log, and the two-window estimate.
//
// # Unknown state
//
// A state that cannot be trusted is never a full bucket. What was granted before
// is unknown then, except that it lies within one horizon; so the bucket starts
// again at now + horizon + one interval, when all of it is past. Such a state
// is: one that is missing; one written under another run id (a restart from an
// older dump, a replica promoted); one whose next slot lies beyond what can have
// been granted; one lower than the asking process has seen; one whose clock went
// back by more than a horizon.
//
// A clock that steps back by less stands still until the old time is reached
// again: later than needed, never sooner. A clock that steps forward would make
// slots free that are still to be used. The server alone cannot see it, but the
// process that asks has a monotonic clock of its own and says how long ago it
// asked last: when the server's clock has moved by more than that and
// [StepTolerance], the request is neither granted nor refused but doubtful; when
// asking again at once finds the same, the bucket starts again.
//
// # What it cannot see
//
// A forward step is not seen by a process that asks for the first time, nor one
// within the tolerance. Two servers that both believe to be primary grant twice.
package bucket
