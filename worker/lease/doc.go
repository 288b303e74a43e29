// Package lease takes jobs from the queue and brings each to its end. It pulls as many as
// it has free slots, keeps each one's lease alive, commits under a fence, settles, and
// drains.
//
// One delivery goes through these states. An abandoned delivery is not acknowledged in any
// way, because the job belongs to another worker by then:
//
//	read ──────▶ claimed ──────▶ running ──────▶ done: evaluation stored,
//	 │             │                │            record done, acked
//	 │ unreadable  │ ended before   ├─ failed ──▶ record planned, nak with delay
//	 │             ▼                ├─ failed for good ▶ dead letter, record
//	 │           acked away         │            failed, terminated
//	 ▼                              ├─ drained ─▶ record planned, nak at once
//	dead letter, record failed,     ├─ unfit ───▶ as drained, and the worker ends
//	terminated                      └─ lease lost or fenced ──▶ abandoned
//
// A running job shows signs of life, six in a lease. Each goes first to the job's record,
// where the round's producer follows it by its own monotonic clock, and then to the server.
// The server counts leases by its wall clock. If that clock is set back, only the record
// shows that a worker has died.
//
// Guarantees:
//
//   - Each step begins only after the one before it is confirmed. After a crash between
//     two steps, the message is delivered again, and the record shows which steps were
//     done.
//   - Nothing is committed or settled after the local deadline. That deadline counts from
//     the last confirmed sign of life, and is earlier than the end of the server's lease.
//     If a wrong clock or a stall defeats it, the record's compare-and-set refuses the
//     commit. A sign of life that finds the record ended, or held by another claim, ends
//     the attempt.
//   - The record counts failures, so the count outlives this process. Hand-backs and lost
//     leases are not failures.
//   - When Run returns, every message that it took is settled or abandoned, and none of
//     its goroutines is left.
//
// How it fails: while NATS is away, pulling waits, and running jobs go on until their
// deadline. Then they are abandoned, and run elsewhere. A handler's panic is a transient
// failure.
package lease
