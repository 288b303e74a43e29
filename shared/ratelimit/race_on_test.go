//go:build race

package ratelimit_test

// batches of 500 steps that the embedded Redis is compared over. Its Lua
// interpreter is some twenty times slower under the race detector, which has
// nothing to find in a comparison of one goroutine.
const batches = 30
