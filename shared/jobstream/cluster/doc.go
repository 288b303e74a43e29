// Package cluster runs nats-server processes for tests and benchmarks: one, or
// three that replicate. They are the server of the module in go.mod, built
// when first asked for, with the settings that deploy/nats ships and addresses
// of their own on loopback. One of three can be set apart: then what it hears
// of the others, and they of it, can be slowed down and held.
//
// Guarantees: Start returns when every node is healthy; a node that is killed
// ends by SIGKILL, keeps its directory and its ports, and comes back with
// both; all end with the test, which waits for them. Nothing is skipped when
// the server cannot be built: the test fails.
package cluster
