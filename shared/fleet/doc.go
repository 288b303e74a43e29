// Package fleet opens what every process of the fleet has, producer and
// worker alike: telemetry and logs, NATS with its streams, the limiter on
// Redis, and the process's one mirror client. It is the wiring that main would
// otherwise hold twice.
//
// Guarantees: Open waits for servers that are not reachable yet, says so once,
// and gives up after the settable time; what it opened is closed by Close, in
// the opposite order, and by nobody else. Redis that goes away later ends
// nothing: the limiter waits, and nothing is sent meanwhile. Whoever reads the
// metrics of a process that Observe and Follow were called for learns what NATS and
// Redis say of the whole fleet, and whether they answer; each look is bounded,
// and one that fails leaves its metrics out.
package fleet
