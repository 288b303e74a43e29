// Package gateway passes requests of other programs on to the mirror, with permits of the
// fleet's limit. Such programs send from the same IP: the validator's own code, a
// person's script. They need no change but the mirror's address.
//
// Guarantees:
//   - Every request leaves through the process's one mirror client. So each try has its own
//     permit, and shares the client's connections, retries, cool-downs and breaker. No
//     client gets a 429: a request that the mirror still throttles at its last try is
//     answered with 503.
//   - Within Config.Wait, a client has its permit, or a 503 with Retry-After. At most
//     Config.Waiting clients wait; the next one gets a 503 at once.
//   - Answers are the mirror's, byte for byte. They are passed on while they arrive, so the
//     gateway holds only a buffer of each. An answer that breaks off, or exceeds MaxAnswer,
//     also breaks off for the client, which therefore cannot take it for complete.
//   - A client that does not read keeps no connection of the pool: when it has fallen behind
//     256 KiB a second by more than Config.Patience, its answer breaks off.
//   - A client that disconnects gives its place back, whatever the state of its request.
//   - A request that is not of the mirror's API uses no permit. It is refused with a problem
//     document (RFC 9457), and so are requests that get no answer.
//
// A request waits, and is then permitted or refused. A retry of a permitted request waits
// for its next permit during the rest of Wait. It does not count as a waiting client. If
// that wait ends without a permit, the client gets the answer of the last try.
//
// How it fails: 502 if there is no usable answer of the mirror; 503 if there is no permit,
// or while the gateway stops; a broken connection if an answer breaks off.
package gateway
