package mirrorsim_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"mirrorfleet/shared/mirrorsim"
)

const (
	second = time.Second
	window = 10 * time.Second
)

// burst is n arrivals at one instant.
func burst(n int, at time.Duration) []time.Duration {
	times := make([]time.Duration, n)
	for i := range times {
		times[i] = at
	}
	return times
}

func join(parts ...[]time.Duration) []time.Duration {
	var all []time.Duration
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// Each count refuses what it alone sees, and lets its own limit through. The
// phases say where windows start: phase 0 at 0 s, 10 s, …; phase 5 s at 5 s, 15 s.
func TestEachCountRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name            string
		fixed, estimate time.Duration // phases
		times           []time.Duration
		want            int // the first refused, -1 for none
		by              string
	}{
		{"the limit in a burst", 0, 0, burst(50, second), -1, ""},
		{"one more", 0, 0, burst(51, second), 50, "fixed"},
		{"fixed windows before all", 0, 0, join(burst(1, 0), burst(50, 9999*time.Millisecond)), 50, "fixed"},
		{"across two fixed windows: the log sees it", 0, 0, join(burst(26, 9*second), burst(25, 11*second)), 50, "sliding"},
		{"a whole window later the log has forgotten", 0, 5 * second, join(burst(25, 0), burst(50, 10*second)), 62, "two_window"},
		{"the estimate counts the window before in part", 0, 0, join(burst(50, 0), burst(1, 10*second)), 50, "two_window"},
		{"half of the window before is forgotten half way", 0, 0, join(burst(50, 0), burst(25, 15*second)), -1, ""},
		{"but not more than half", 0, 0, join(burst(50, 0), burst(26, 15*second)), 75, "two_window"},
		{"two windows later all is forgotten", 0, 0, join(burst(50, 0), burst(50, 20*second)), -1, ""},
		{"the phase moves the windows", 5 * second, 5 * second, join(burst(50, 4999*time.Millisecond), burst(1, 14998*time.Millisecond)), 50, "sliding"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := mirrorsim.NewCounter(50, window, window, tc.fixed, tc.estimate)
			got, by := -1, ""
			for i, now := range tc.times {
				var refused bool
				if refused, _, by = c.Admit(now); refused {
					got = i
					break
				}
			}
			if got != tc.want || by != tc.by {
				t.Errorf("first refused is %d by %q, want %d by %q", got, by, tc.want, tc.by)
			}
		})
	}
}

// A mitigation period refuses everything until it ends, and what comes inside
// it counts: who hammers on is refused again.
func TestMitigation(t *testing.T) {
	t.Parallel()
	c := mirrorsim.NewCounter(2, window, window, 0, 0)
	for i, step := range []struct {
		at      time.Duration
		refused bool
		retry   time.Duration
		by      string
	}{
		{0, false, 0, ""},
		{0, false, 0, ""},
		{1 * second, true, 10 * second, "fixed"},
		{4 * second, true, 7 * second, ""},
		{10999 * time.Millisecond, true, time.Millisecond, ""},
		{30 * second, false, 0, ""},
		{30 * second, false, 0, ""},
		{31 * second, true, 10 * second, "fixed"},
		{40 * second, true, second, ""},
		{40 * second, true, second, ""},
		{41 * second, true, 10 * second, "fixed"}, // three in the window from 40 s on
		{51 * second, true, 10 * second, "two_window"},
		{71 * second, false, 0, ""},
	} {
		refused, retry, by := c.Admit(step.at)
		if refused != step.refused || retry != step.retry || by != step.by {
			t.Errorf("step %d at %s: refused %v for %s by %q, want %v for %s by %q", i, step.at, refused, retry, by, step.refused, step.retry, step.by)
		}
	}
}

// The log too counts what a mitigation period refuses: here the fixed windows
// have changed meanwhile, and the log alone is over the limit by much.
func TestRefusedRequestsStayInTheLog(t *testing.T) {
	t.Parallel()
	c := mirrorsim.NewCounter(2, window, 3*second, 9*second, 9*second) // windows start at 1 s, 11 s, …
	for i, step := range []struct {
		at time.Duration
		by string
	}{{8 * second, ""}, {8 * second, ""}, {8 * second, "fixed"}, {10 * second, ""}, {10 * second, ""}, {19 * second, "sliding"}} {
		if _, _, by := c.Admit(step.at); by != step.by {
			t.Errorf("step %d at %s: refused by %q, want %q", i, step.at, by, step.by)
		}
	}
}

// Over the limit the server answers as Cloudflare does, and counts it. The
// window is an hour, so that no machine is slow enough to miss it.
func TestServerRefusesOverTheLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, mirrorsim.Config{Limit: 3, Window: time.Hour, Mitigation: time.Hour, Latency: mirrorsim.Fixed(0)})
	for i := range 5 {
		r := b.do(http.MethodGet, "/api/v1/health", "")
		if i < 3 {
			if r.status != http.StatusOK {
				t.Fatalf("request %d: %d, want 200", i, r.status)
			}
			continue
		}
		seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
		if r.status != http.StatusTooManyRequests || err != nil || seconds < 1 || seconds > 3600 {
			t.Errorf("request %d: status %d, Retry-After %q; want 429 and 1 to 3600 s", i, r.status, r.header.Get("Retry-After"))
		}
		if r.header.Get("Content-Type") != "text/html; charset=UTF-8" {
			t.Errorf("request %d: %s, want Cloudflare's page", i, r.header.Get("Content-Type"))
		}
	}
	stats := b.server.Stats()
	if stats.OverLimit != 2 || stats.Requests != 5 || stats.ByStatus["429"] != 2 || stats.Worst.Sliding != 5 {
		t.Errorf("stats %+v, want 5 requests, 2 over the limit, all 5 in one window", stats)
	}
	tripped := 0
	for _, n := range stats.Limit.Tripped {
		tripped += n
	}
	if tripped != 1 {
		t.Errorf("tripped %v, want one mitigation period", stats.Limit.Tripped)
	}
}
