// Package must ends a test at once when something that it needs has failed. It checks
// that an operation did not fail ([Do], [Get]), that a condition comes to hold ([Until]),
// and that a value arrives ([Receive]). [Check] is for clean-ups: the test fails, and
// continues.
package must

import (
	"context"
	"testing"
	"time"
)

// Do ends the test if something failed.
func Do(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Get ends the test that it is given if there is no value, and returns the value
// otherwise: must.Get(os.ReadFile(name))(t).
func Get[T any](v T, err error) func(tb testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		Do(tb, err)
		return v
	}
}

// Check fails the test if something failed, and lets it go on: for clean-ups.
func Check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Error(err)
	}
}

// Until asks again and again until something holds that nobody signals. If ctx ends
// first, the test ends.
func Until(ctx context.Context, tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			tb.Fatalf("never: %s (%v)", what, context.Cause(ctx))
		}
	}
}

// Receive waits for a value. If ctx ends first, the test ends.
func Receive[T any](ctx context.Context, tb testing.TB, from <-chan T, what string) (v T) {
	tb.Helper()
	select {
	case v = <-from:
	case <-ctx.Done():
		tb.Fatalf("never: %s (%v)", what, context.Cause(ctx))
	}
	return v
}
