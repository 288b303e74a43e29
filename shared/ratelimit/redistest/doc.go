// Package redistest starts real Redis servers for tests, from the installed
// redis-server binary: one ([Start]), a cluster of three ([StartCluster]), a
// primary with a replica ([StartPair]).
//
// Every server listens on a free port of the loopback, keeps nothing on disk
// that outlives its folder, and is gone when the test is. A server that cannot be
// had fails the test: what these tests hold, no imitation would show.
package redistest
