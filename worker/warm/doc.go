// Package warm fetches and scores files ahead of a round, while its worker has no job. It
// takes miners of the warm-up that is under way, and stores what the score cache lacks.
//
// Guarantees:
//   - It never works beside a round. A job of this process ends its work at once. A job of
//     another process ends it within two looks, which are a second apart. So does the end
//     of the warm-up, and any error that prevents the look.
//   - Its requests take background permits, which give way to the round's.
//   - It stores only what its Warm puts into the cache. Each miner is delivered once: even
//     if its worker fails, no other worker gets it.
//   - When Run returns, none of its goroutines is left.
//
// How it fails: failures are logged. The round then makes the requests itself, as it would
// without a warm-up.
package warm
