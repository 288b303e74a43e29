//go:build !race

package parity_test

// raced says that this test runs with the race detector, and so do the commands.
const raced = false
