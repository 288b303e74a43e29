// Package nettest gives tests ports, pages and connections that can be disturbed.
// [FreePort] is a port for a server, [Get] and [Ask] read a page of one. A [Relay]
// between a server and its clients can be cut, slowed, held, silenced and redirected. It
// knows nothing of what it carries.
//
// What a relay carries arrives whole and in order, or its connection ends. It
// serves for as long as its test lasts, on one address.
package nettest
