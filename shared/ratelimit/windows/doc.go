// Package windows counts how many requests of a sequence fall into the worst window. It
// does so exactly, for each of the three ways in which a limit of so many requests per
// window may be counted.
//
// Who enforces a limit rarely says how it counts, nor when its windows begin. A
// sequence keeps within the limit for certain only when no count exceeds it for
// any phase of the windows and at any instant. The functions here do not sample
// phases: between two arrivals (or an arrival and the edge of a window) every
// count either stays or falls, so only finitely many phases and instants can be
// the worst, and all of them are tried. See [Worst] for which they are.
//
// The package is pure: no clock, no disk, no network. It cannot fail: a
// window of no length gives zero counts.
package windows
