// Package warm works on warm-ups: while its process has no job, it takes miners of the one
// that is under way, and has the files fetched and scored that the score cache lacks.
//
// Guarantees:
//   - It never works beside a round. A job of this process ends its work at once; a job
//     of any other does so within two looks, which are a second apart; so does the end of
//     the warm-up, and whatever keeps it from finding out.
//   - Its requests take permits of the background, which make way for the round's.
//   - It stores nothing but what its Warm keeps in the cache. A miner is handed out once:
//     whatever becomes of it, no other worker is given it again.
//   - When Run returns, none of its goroutines is left.
//
// How it fails: what goes wrong is logged, and costs the round the requests that it would
// have made without a warm-up.
package warm
