// Package session opens everything that a round needs, and runs one round, a replay, or
// rounds on schedule. It connects to the servers, or starts them on this machine together
// with workers and, for a trial, a simulated mirror.
//
// Guarantees: it prints nothing. Results are returned, progress goes to Config.Watch,
// and what concerns an operator goes to the log. Everything that it has opened is closed
// in the opposite order, whatever fails in between. All rounds of one mirror share one
// client, however many run at once, so that one circuit breaker and one connection pool
// serve the process. A child process does not outlive this one, even if this one is
// killed.
//
// States: a round is planned from files or read from the streams; then it is worked on
// until it is concluded or a signal ends the work. After a signal, Leftover and UnderWay
// say what is stored of it.
//
// How it fails: what the caller can correct is wrong usage (command.UsageError). A local
// round ends when its servers are lost or its workers keep dying. When serving, a round
// that fails postpones the schedule and does not end the session.
package session
