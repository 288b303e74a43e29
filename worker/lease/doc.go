// Package lease runs jobs: it pulls as many as it has free slots, keeps each
// one's lease alive, commits under a fence, settles, and drains.
//
// One delivery goes through these states; a line that leads to "abandoned" ends
// with no word to anybody, because the job is somebody else's by then:
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
// A running job shows signs of life, six in a lease: on its record, where the
// producer that runs the round follows them by a clock of its own, and then to
// the server. The server counts leases by its wall clock; if somebody sets that
// back, only the record tells that a worker has died.
//
// Guarantees:
//
//   - Every step is made only when the one before it is confirmed. After a
//     crash between two of them the message comes again and the record tells
//     how far it got.
//   - Nothing is committed or settled after the local deadline: it ends before
//     the server's lease does, counted from the last confirmed sign of life.
//     If a clock or a stall outwits it, the record's compare-and-set does not
//     let the commit through. A sign of life that finds the record in other
//     hands, or ended, ends the attempt.
//   - Failures count by the record, so they outlive this process; hand-backs
//     and lost leases count none.
//   - When Run returns, every message that it took is settled or abandoned, and
//     none of its goroutines is left.
//
// How it fails: while NATS is away, pulling waits and running jobs go on
// until their deadline; then they are abandoned, and run elsewhere. A
// handler's panic is a transient failure.
package lease
