// Package web is the producer's API over HTTP: rounds, their rewards, their
// miners with reasons, the limit, and replays. openapi.json describes it, and
// what the commands print with --json; tests hold that every route is described,
// that every field is, and that whatever is answered or printed is as described.
//
// Guarantees:
//   - Reading changes nothing and needs no token. A replay needs one, and is
//     refused where none is set.
//   - Every error is a problem document (RFC 9457) whose type Problems lists. It
//     says what the caller can mend; what only the operator can is in the log,
//     once, and not in the answer. The token is in neither.
//   - Bodies, headers, times and the number of requests at work are bounded:
//     whoever asks too much waits or is told to come again, and takes nothing
//     from the round that the process is running.
//   - A replay belongs to the API: one of a round at a time, a few in all, ended
//     and waited for by Close. What it will run is written down before it does
//     anything, so that one that Close breaks off is gone on with by the next.
//
// How it fails: NATS or Redis away is 503 once the request's time is over; a
// panic of a handler is 500 and costs that request alone. An address that cannot
// be listened on is an error of Listen.
package web
