package session

import (
	"strings"
	"testing"

	"mirrorfleet/shared/jobstream"
)

// Jobs that kill may kill each worker until their deliveries are used up; a
// machine on which no worker lives, or no job ends, is not waited for.
func TestWhenWorkersAreGivenUp(t *testing.T) {
	t.Parallel()
	d := deaths{workers: 2}
	for n := range 10 {
		for range 2 * jobstream.DefaultMaxDeliver { // two such jobs at once
			if why := d.another(true); why != "" {
				t.Fatalf("given up after %d jobs: %s", n, why)
			}
		}
		d.ended(n + 1)
	}
	d.ended(10) // no more than before
	for range 3 * jobstream.DefaultMaxDeliver {
		if why := d.another(true); why != "" {
			t.Fatalf("given up too early: %s", why)
		}
	}
	if why := d.another(true); !strings.Contains(why, "no job ended") {
		t.Errorf("gives up with %q, want that no job ended", why)
	}
	d = deaths{workers: 2}
	for range stillborn {
		if why := d.another(false); why != "" {
			t.Fatalf("given up too early: %s", why)
		}
	}
	if why := d.another(false); !strings.Contains(why, "11 workers in a row died before they could take a job") {
		t.Errorf("gives up with %q, want that none could take a job", why)
	}
}
