// Package warmup fills the score cache ahead of a round. It lets workers list the pull
// requests of the coming round's miners, and fetch and score the files that the cache
// lacks.
//
//	wait until no round runs ▶ begin ▶ publish miners ▶ follow ▶ end
//
// It ends for one of these reasons, and then drops the miners that are left:
//   - no miner is left
//   - a job of any round is in the queue
//   - somebody else has ended it, or begun another warm-up
//   - its context has ended: the turn has come, or the producer stops
//
// Guarantees:
//   - It never begins beside a round, and ends within a second of a round's first job.
//   - It writes only its state, its inputs and its own stream: no record, no evaluation,
//     no dead letter, no outcome.
//   - It writes no token.
//
// How it fails: with the first error of the streams. If it fails, or its process dies, the
// round makes the requests itself, as it would without a warm-up. Workers drop the miners
// that are left when the warm-up's time is over, or a round has begun.
package warmup
