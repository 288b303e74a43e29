// Command producer plans scoring rounds, publishes one job per miner, follows
// them, and concludes each round into a rewards vector. It goes on with a round
// whose producer died, lists the rounds and what failed in one, runs that again,
// shows what came of it, and exports it. It runs rounds on schedule for a
// validator's installation, beside others that stand by, and says how long a
// round takes and what an installation lacks.
package main
