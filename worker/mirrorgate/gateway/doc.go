// Package gateway is a reverse proxy with the mirror's own interface, for whatever is
// not the fleet and sends from the same IP: the validator's own code, a person's script.
// Its clients need no change but the mirror's address.
//
// Guarantees:
//   - Each request leaves through the process's one mirror client, and so with a permit
//     for each sending, over its pool, with its tries, cool-downs and breaker. No client
//     gets a 429: what the mirror throttles comes back as 503 when no try is left.
//   - A client has its permit or a 503 with Retry-After within Config.Wait, whatever it
//     waits for. So many as Config.Waiting wait; the next one gets a 503 at once.
//   - Answers are the mirror's, byte for byte, and are passed on while they come: the
//     gateway holds no more of one than a buffer. One that breaks off, or goes over
//     MaxAnswer, breaks off for the client, too, so that nobody takes it for whole.
//   - A client that goes gives its place back, wherever its request is.
//   - What is no request of the mirror's API spends no permit. It is refused with a
//     problem document (RFC 9457), as are requests that get no answer.
//
// A request is waiting, and then permitted or refused. A request with a permit that has
// to be tried again waits for the next one in what is left of its Wait, outside the bound
// on waiting clients, and what it gets then is the answer of its last try.
//
// How it fails: 502 without a usable answer of the mirror, 503 without a permit or while
// the gateway ends; a connection that breaks in the middle of an answer.
package gateway
