// Package house holds what the design says of the house itself: which package
// may import which, which packages know no network, disk or clock, that every
// package says what it promises, and how long a file may be. Its tests read the
// sources; there is nothing to call.
package house
