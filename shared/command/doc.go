// Package command has the parts that all of the product's commands share: exit codes,
// signals, flags with one meaning everywhere, settings from the environment and from a
// file, help pages, completion, and waiting for a server at start.
//
// Exit codes: 0 done; 1 the work failed; 2 wrong usage or input; 130 stopped by a
// signal; 141 the reader of standard output has gone. An error is printed once, here, on
// standard error, without credentials.
//
// Precedence: a flag on the command line, its environment variable, the configuration
// file, the default.
package command
