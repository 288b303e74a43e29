//go:build !race

package ratelimit_test

const batches = 200 // see race_on_test.go
