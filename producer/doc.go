// Command producer plans scoring rounds, publishes one job per miner, follows
// them, and concludes each round into a rewards vector. It goes on with a round
// whose producer died, lists what failed in one, runs that again, and shows
// what came of it. It runs rounds on schedule for a validator's installation,
// beside others that stand by.
package main
