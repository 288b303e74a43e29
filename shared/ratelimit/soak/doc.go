// Package soak tests the limit with a whole fleet under faults. Real workers ask the
// simulated mirror behind its real limit, with real Redis and NATS behind relays, while
// workers are killed and stopped, Redis is killed and comes back empty, and the network
// is slow and cut. It holds tests alone.
//
// They promise that the mirror, which counts exactly, by all three counts and
// over all phases, never sees more than its limit. What happens when is drawn from
// a seed and logged as it happens. The short form runs with every test; make soak
// runs the long one: two minutes each of 1, 8 and 64 workers at the mirror's own
// figures.
package soak
