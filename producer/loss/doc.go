// Package loss tests that rounds still end when a disk, a power cut or an operator has
// lost or damaged the fleet's data. Streams and buckets come back as they were some time
// before, files have flipped bits or lack a part, streams are deleted, purged or
// overwritten with rubbish.
//
// A scenario is three rounds, one after the other, by real servers, a producer
// and two workers; something happens at one instant of the first two, or between
// them. A process that ends with an error is started again, as whatever runs a
// fleet does.
//
// What it wants: every round ends, unless its manifest is what was lost; the
// round after it works. What an audit finds is clean, or names what is gone. The
// outcome is that of rounds to which nothing happened, or it says itself what it
// lacks.
//
// A seed decides what happens when; where exactly it meets the fleet depends on
// the machine. A scenario that fails says its seed.
//
//	MIRRORFLEET_LOSS_SEED  the first seed of the random scenarios; the next ones count on from it
//	MIRRORFLEET_LOSS_RUNS  how many of them there are; all pairs of streams run beside them
package loss
