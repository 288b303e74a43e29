// Package listen has the bounds of everything that the product serves over HTTP.
//
// Guarantees: a listener has at most so many connections at once, and the next
// ones wait in the system's queue. A connection whose request does not arrive in
// time is closed, and so is one that is idle. Whoever opens connections and says
// nothing takes no more memory than these. A [Server] that was started is closed once,
// however many ask, and leaves nothing behind.
package listen
