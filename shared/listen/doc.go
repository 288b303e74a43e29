// Package listen sets the bounds of everything that the product serves over HTTP.
//
// Guarantees: a listener has a maximum of connections at once, and the next ones wait in
// the system's queue. A connection is closed if its request does not arrive in time or if
// it stays idle. So clients that open connections and send nothing cannot take more memory
// than that. A [Server] that was started is closed once, for any number of calls, and
// leaves nothing behind.
package listen
