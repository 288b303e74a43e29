// Command producer plans scoring rounds, publishes one job per miner, follows
// them, and concludes each round into a rewards vector.
package main
