// Package house tests the sources against the rules of the house: which package may
// import which, which packages know no network, disk or clock, that every package says
// what it promises, and how long a file may be. Its tests read the sources; there is
// nothing to call.
package house
