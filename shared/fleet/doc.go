// Package fleet connects a process, producer or worker, to everything that the fleet
// shares: telemetry and logs, NATS with its streams, the limiter on Redis, and the
// process's one mirror client. Without it, each command would repeat this wiring.
//
// Guarantees:
//   - Open waits for servers that cannot be reached yet, says so once, and gives up
//     after Config.ConnectTimeout.
//   - Close alone closes what Open opened, in the opposite order.
//   - If Redis goes away later, the process goes on: the limiter waits, and nothing is
//     sent meanwhile.
//   - After Observe and Follow, the process's metrics show the state of the whole fleet
//     in NATS and Redis, and whether both answer. Each look has a time-out. A look that
//     fails leaves its metrics out.
package fleet
