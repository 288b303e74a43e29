// Package leadership lets one producer at a time lead a round, or the schedule, while the
// others stand by.
//
// A leader writes its name into a bucket, and writes it again five times within Takeover.
// Each write is a sign of life and replaces the one before by compare-and-set. A producer
// that stands by reads it twenty times within Takeover. The states are:
//
//	standing by ─ free, silent for its time, or a known Predecessor's ─▶ leading
//	a leader ─ its work ends ─▶ released
//	a leader ─ not confirmed within ¾ of Takeover, or replaced ─▶ lost: work is cancelled ─▶ standing by
//
// Why it is safe:
//   - Two leaders at once do no harm, so this package needs no fencing token. Steps that
//     must happen once are made so where they happen: by create-once and by compare-and-set
//     of records, messages and outcomes (package round). Leadership only avoids doing the
//     work twice.
//   - Two leaders at once are rare. A leader cancels its work (ErrLost) when ¾ of Takeover
//     have passed since it sent the last sign of life that was confirmed, or since its
//     first one was confirmed. A producer that stands by waits for the leader's whole
//     Takeover after it saw that sign. Two remain possible if a leader's process does not
//     run at all in the last quarter, or if its work ends slowly after it is cancelled.
//   - SoleProducer and Predecessor skip the wait. They are for callers that know that no
//     other producer runs, or that the named one does not. If that is wrong, the other
//     producer finds at its next sign of life that it was replaced.
//   - No clocks of two machines are compared. Each producer measures by its own monotonic
//     clock from what it has itself sent or seen. Stored instants are for people.
//   - If two producers take over at once, one has the revision that was read. The other
//     reads again.
//
// Further guarantees:
//   - A leader that ends in order releases what it led, and its successor need not wait. If
//     a leader died, its successor gets its name. It then takes over the dead leader's
//     other holds at once (Config.Predecessor).
//   - A hold that cannot be read may belong to a producer that runs, so the full time
//     passes before it is taken over.
//   - Messages report only facts. A sign of life that NATS does not confirm is not yet a
//     takeover. The stored hold shows who has led since, and is logged then.
//
// Failures: while a producer stands by, an error of the bucket or a cancelled context ends
// Lead with that error. An error of the work ends Lead too, unless leadership was lost;
// then this producer stands by again.
package leadership
