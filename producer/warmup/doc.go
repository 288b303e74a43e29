// Package warmup makes warm-ups: ahead of a round it lets workers list the pull requests of
// the coming round's miners, and fetch and score the files that the score cache lacks.
//
//	wait until no round runs ▶ begin ▶ publish miners ▶ follow ▶ end
//
// It ends when no miner is to come, when a job of any round is in the queue, when somebody
// else has ended it or begun another, and with its context: the turn has come, or the
// producer stops. What is left is dropped then.
//
// Guarantees:
//   - It never begins beside a round, and ends within a second of a round's first job.
//   - It writes nothing but how it stands, its inputs and its own stream: no record, no
//     evaluation, no dead letter, no outcome.
//   - No token is in what it writes.
//
// How it fails: with the first error of the streams. Whatever becomes of it, and of its
// process, costs the round the requests that it would have made without a warm-up: workers
// drop what is left when its time is over, and when a round has begun.
package warmup
