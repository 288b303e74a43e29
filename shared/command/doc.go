// Package command is what the product's commands share: exit codes, flags
// that mean the same everywhere, and waiting for a server at start.
//
// Exit codes: 0 done; 1 the work failed; 2 wrong usage or input; 130 stopped
// by a signal. An error is printed once, here, on standard error.
package command
