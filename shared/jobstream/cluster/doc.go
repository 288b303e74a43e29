// Package cluster runs nats-server processes for tests and benchmarks: one, or
// three that replicate. They are the server of the module in go.mod, built
// when first asked for, with the settings that deploy/nats ships and addresses
// of their own on loopback.
//
// Guarantees: Start returns when every node is healthy; a node that is killed
// ends by SIGKILL, keeps its directory and its ports, and comes back with
// both; Close ends all and waits for them. Nothing is skipped when the server
// cannot be built: that is an error.
package cluster
