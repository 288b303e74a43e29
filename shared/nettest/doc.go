// Package nettest is what tests need of a network: a port for a server
// ([FreePort]), a page of one ([Get], [Ask]), and a [Relay] between a server and those who
// use it, which can be cut, slowed, held, silenced and redirected. It knows nothing of
// what it carries.
//
// What a relay carries arrives whole and in order, or its connection ends. It
// serves for as long as its test lasts, on one address.
package nettest
