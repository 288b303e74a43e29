// Package web serves the producer's API over HTTP: rounds, their rewards, their miners
// with reasons, the limit, replays and orders. openapi.json describes the API, and the
// JSON that the commands print. Tests compare it with every route, every field and every
// answer.
//
// Guarantees:
//   - Reading changes nothing. Config.Guard says who may read and who may order. It refuses
//     what a page of another site has a browser send.
//   - Every error is a problem document (RFC 9457) whose type Problems lists. It says what
//     the caller can correct. What only the operator can correct is in the log, once, and
//     not in the answer. Neither contains a token.
//   - Bodies, headers, times and the number of requests in work are bounded. A caller who
//     asks too much waits, or is told to come back, and takes nothing from the round that
//     the process is running. A stream of events takes no part of these bounds: it has its
//     own, and all viewers of a round share one look at it.
//   - Orders are carried out by Config.Operator (package steering), which the dashboard
//     uses, too.
//
// How it fails: if NATS or Redis is away, the answer is 503 once the request's time is over.
// A panic of a handler is 500 and costs only that request.
package web
