// Package leadership lets one producer at a time lead a round, or the schedule; the
// others stand by.
//
// A leader writes itself into a bucket, and writes itself anew five times within
// Takeover: each such write is a sign of life, and replaces the one before by
// compare-and-set. Whoever stands by looks twenty times within that time. Its states:
//
//	standing by ─ free, silent for its time, or a known Predecessor's ─▶ leading
//	a leader ─ its work ends ─▶ released
//	a leader ─ not confirmed within ¾ of Takeover, or replaced ─▶ lost: work is cancelled ─▶ standing by
//
// Why it is safe:
//   - Two leaders at once do no harm, so this package keeps no fencing token. Only
//     work is at stake: what must happen once is made so where it happens, by
//     create-once and compare-and-set of records, messages and outcomes (package
//     round). Leadership saves the work of doing it twice.
//   - Two are seldom leaders at once. A leader cancels its work (ErrLost) when ¾ of
//     Takeover have gone since it sent the last sign of life that was confirmed; of
//     its first one, since that was confirmed. Whoever stands by waits for the whole
//     of the leader's Takeover since it saw that sign. What is left is a leader that
//     does not run at all in the last quarter, or whose work is slow to end when its
//     context does.
//   - SoleProducer and Predecessor wait for nobody: they are for a producer whose
//     caller knows that no other lives, or that the one named does not. If that is
//     wrong, the other finds itself replaced at its next sign of life.
//   - No two clocks are compared. Each counts by its own monotonic clock from what
//     itself has sent or seen; the instants that are stored are for people.
//   - Of two that take a round at once one has the revision that was read, and the
//     other looks again.
//
// What it promises beyond that:
//   - Who ends in order releases what it led, and the next one need not wait. The name
//     of one that went without a word is told to whoever follows it, which takes the
//     rest of what that one held at once (Config.Predecessor).
//   - A hold that cannot be read may be of somebody who lives: it has its time.
//   - It says only what is known. Signs of life that NATS does not confirm are no
//     takeover: who has led since shows in the stored hold, and is logged then.
//
// How it fails: an error of the bucket while it stands by, or a cancelled context,
// ends Lead with it; the error of work does, unless the lead was lost, for then this
// producer stands by again.
package leadership
