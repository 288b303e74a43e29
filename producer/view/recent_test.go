package view_test

import (
	"testing"

	"mirrorfleet/producer/view"
)

// The value that was used longest ago goes first, and a key has one value.
func TestRecentKeepsWhatWasUsedLast(t *testing.T) {
	t.Parallel()
	var r view.Recent[string, int]
	has := func(key string, want int) {
		t.Helper()
		if got, kept := r.Get(key); kept != (want > 0) || got != want {
			t.Errorf("%s: %d, %v; want %d", key, got, kept, want)
		}
	}
	r.Keep("a", 1, 2)
	r.Keep("b", 2, 2)
	has("a", 1)
	r.Keep("c", 3, 2)
	has("b", 0)
	r.Keep("a", 4, 2)
	has("a", 4)
	has("c", 3)
	r.Forget(func(key string) bool { return key == "a" })
	has("a", 0)
	has("c", 3)
}
