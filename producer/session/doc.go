// Package session does what takes a whole fleet: it runs a round, replays one, or
// serves rounds on schedule. It connects to the servers, or starts those of a round on
// this machine, with workers and perhaps a simulated mirror beside it.
//
// Guarantees: it prints nothing. Results are returned, and how a round goes on is told
// to whoever watches it; what concerns an operator is in the log. What it has opened is
// closed in the opposite order, whatever happens in between. All rounds of one mirror
// share one client of it, however many run at once. A process that it has started does
// not outlive it.
//
// States: a round is planned from files, or is one that is stored; then it is worked on
// until it is concluded, or a signal ends the work. Leftover and UnderWay say how it
// stands then.
//
// How it fails: what whoever started it can mend is wrong usage (command.UsageError). A
// local round ends when its servers are lost or its workers cannot be kept alive. A
// round that is served and cannot go on puts the schedule off, and ends no session.
package session
