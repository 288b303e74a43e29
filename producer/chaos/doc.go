// Package chaos tests whole rounds of real processes while faults happen at random. Three
// NATS servers, a Redis, a simulated mirror with its limit switched on and with faults,
// workers and a producer run as they do elsewhere. Meanwhile workers and producer are
// killed and stopped, servers are killed and come back (Redis empty), connections are
// slowed down, silenced and cut.
//
// What it wants of each round: the outcome is that of a round that nobody
// disturbed, byte for byte; every job is done; nothing is left in the queue;
// and the mirror saw not one request over its limit.
//
// A seed decides what is done to whom and for how long; when exactly it meets
// the fleet depends on the machine. The seed and the transcript are printed.
//
//	MIRRORFLEET_CHAOS_SEED  the first seed; the next rounds count on from it
//	MIRRORFLEET_CHAOS_TIME  go on with new rounds for so long, such as 10m
package chaos
