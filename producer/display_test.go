package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/ratelimit"
)

var started = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func metered(granted int64, after time.Duration) meter {
	m := meter{started: started}
	state := ratelimit.State{Rate: 4.68, Limit: 50, Window: 10 * time.Second}
	m.read(state, true, started)
	m.read(state, true, started.Add(2*time.Second)) // the bucket's first pause
	state.Granted = 1
	m.read(state, true, started.Add(3*time.Second))
	state.Granted = granted
	m.read(state, true, started.Add(after))
	return m
}

func TestViewShowsTheRound(t *testing.T) {
	t.Parallel()
	v := view{
		round:    "r1",
		progress: round.Progress{Planned: 24, Done: 12, Failed: 1, Running: 3, Queued: 8, Retrying: 1, Remaining: 468},
		meter:    metered(100, 24*time.Second),
	}
	got := v.lines(80)
	want := []string{
		"round   r1   00:24",
		"miners  ████████▒▒░░░░░░  12/24 done, 1 failed, 3 running, 8 queued (1 to retry)",
		"mirror  100 requests, 91 % of the limit, ETA 01:40",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("at a terminal (-want +got):\n%s", diff)
	}
	line := "00:24  miners 12/24 done, 1 failed, 3 running, 8 queued (1 to retry)  mirror 100 requests, 91 % of the limit, ETA 01:40"
	if got := v.line(); got != line {
		t.Errorf("plain: got %q, want %q", got, line)
	}
}

// A line that wraps leaves a part of itself behind at each redrawing.
func TestViewFitsTheTerminal(t *testing.T) {
	t.Parallel()
	v := view{
		round: "20261124t103711z-53f3a1",
		progress: round.Progress{
			Planned: 256, Done: 100, Failed: 20, Degraded: 12, Running: 64, Queued: 72, Retrying: 14, Remaining: 99_999,
		},
		meter: metered(12_345, 60*time.Minute),
	}
	v.meter.last.CoolDown, v.meter.last.Hold = 10*time.Minute, 10*time.Minute
	few, all := v, v
	few.progress = round.Progress{Planned: 21, Done: 3, Running: 8, Queued: 10}
	all.progress = round.Progress{Planned: 256, Done: 256, Retrying: 256}
	for _, c := range []struct {
		name   string
		v      view
		width  int
		miners string
	}{
		{"few", few, 80, "miners  ███▒▒▒▒▒▒▒▒▒▒░░░░░░░░░░░  3/21 done, 0 failed, 8 running, 10 queued"},
		{"many", v, 80, "miners  100/256 done (12 degraded), 20 failed, 64 running, 72 queued (14 to ret…"},
		{"all", all, 80, "miners  ████████████  256/256 done, 0 failed, 0 running, 0 queued (256 to retry)"},
		{"narrow", few, 40, "miners  3/21 done, 0 failed, 8 running,…"},
	} {
		lines := c.v.lines(c.width)
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); n > c.width {
				t.Errorf("%s: %d characters, want at most %d: %q", c.name, n, c.width, line)
			}
		}
		if lines[1] != c.miners {
			t.Errorf("%s: got %q, want %q", c.name, lines[1], c.miners)
		}
	}
}

func TestMeterSurvivesABucketThatBeganAnew(t *testing.T) {
	t.Parallel()
	m := metered(100, 24*time.Second)
	m.base = 50
	m.read(ratelimit.State{Granted: 3, Limit: 50, Window: 10 * time.Second}, true, started.Add(30*time.Second))
	if got := m.granted(); got != 0 {
		t.Errorf("granted after the bucket was lost: got %d, want 0, never a negative count", got)
	}
}

// The round must never wait for its display, and what is shown last is the
// round's end.
func TestDisplayShowsTheLastStateAndNeverBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		use := func(context.Context) (ratelimit.State, error) {
			return ratelimit.State{Limit: 50, Window: 10 * time.Second}, nil
		}
		d := newDisplay(&out, false, 0, "r1", use)
		for done := range 1000 { // nobody reads yet: each call must return
			d.update(round.Progress{Planned: 1000, Done: done})
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); d.run(ctx) }()
		synctest.Wait()
		d.update(round.Progress{Planned: 1000, Done: 1000})
		cancel()
		<-ended
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if last := lines[len(lines)-1]; !strings.Contains(last, "1000/1000 done") {
			t.Errorf("last line: got %q, want the round's end", last)
		}
	})
}

func TestDisplayRedrawsItsOwnLinesAtATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	d := newDisplay(&out, true, 80, "r1", nil)
	drawn := d.draw(view{round: "r1"}, 0)
	if strings.Contains(out.String(), "\x1b[3A") {
		t.Error("the first drawing moved up over lines that are not its own")
	}
	out.Reset()
	if again := d.draw(view{round: "r1"}, drawn); again != 3 || !strings.HasPrefix(out.String(), "\x1b[3A") {
		t.Errorf("the second drawing: got %d lines, %q; want 3 lines over the first ones", again, out.String())
	}
}

// Whoever watches a round sees why nothing is sent.
func TestViewShowsWhyTheEgressRests(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*meter){
		", cooling down for 00:30":               func(m *meter) { m.last.CoolDown = 30 * time.Second },
		", held by hand for 01:05":               func(m *meter) { m.last.Hold = 65 * time.Second },
		"Redis does not answer: nothing is sent": func(m *meter) { m.answers = false },
	} {
		m := metered(40, 12*time.Second)
		change(&m)
		if got := (view{round: "r1", meter: m}).line(); !strings.Contains(got, want) {
			t.Errorf("the line is %q, want %q in it", got, want)
		}
	}
}
