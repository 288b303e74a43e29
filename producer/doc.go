// Command producer plans scoring rounds, publishes one job per miner, follows
// them, and concludes each round into a rewards vector. It resumes a round whose
// producer died, lists rounds and their failures, replays failed miners, and shows
// and exports outcomes. For a validator's installation it runs rounds on schedule
// while other producers stand by. It also estimates how long a round takes, and
// checks what an installation lacks.
//
// Guarantees: results go to standard output, everything else to standard error.
// The exit code is 0 for success, 1 for failed work or an incomplete round, 2 for
// wrong usage or input (command.UsageError), 130 after a signal. A command that only
// reads NATS declares and changes nothing there.
//
// Each file holds one command: its flags, their checks, and its action. Common files
// hold what several commands use: flags.go, options.go (checks across flags), servers.go
// (opening what a command reads), conduct.go (running a round) and api.go.
package main
