package page

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/terminal"
)

var started = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// metered is a meter that has seen so many permits, evenly over a time from the
// first one on.
func metered(granted int64, over time.Duration) *estimate.Meter {
	m := &estimate.Meter{}
	seconds := int64(over / time.Second)
	for s := range seconds + 1 {
		m.Read(estimate.Reading{Granted: granted * s / seconds, Rate: 4.68, Limit: 50, Window: 10 * time.Second}, started.Add(time.Duration(s)*time.Second))
	}
	return m
}

// runningMoment is a moment of a round of the usual kind.
func runningMoment() moment {
	now := started.Add(24 * time.Second)
	return moment{view.Moment{
		Round: "r1", Started: started, Now: now, Meter: metered(112, 24*time.Second),
		Progress: round.Progress{
			Planned: 24, Done: 12, Failed: 1, Running: 3, Queued: 8,
			Work: estimate.Work{Told: 68, ToldAt: now, Untold: 400, Known: true},
		},
	}}
}

// crowded is one in which everything is told.
func crowded() moment {
	m := runningMoment()
	m.Round, m.Now = "20261124t103711z-53f3a1", started.Add(61*time.Minute)
	m.Progress = round.Progress{
		Planned: 256, Done: 100, Failed: 20, Degraded: 12, Running: 64, Queued: 72, Retrying: 14,
		NextRetry: m.Now.Add(8 * time.Second), Trouble: "mirror POST /api/v1/miners/40440308/pulls: status 500: " + strings.Repeat("x", 300),
		Stalled: 3, Stall: "dial tcp 10.0.0.1:443: connect: connection refused", Asked: m.Now.Add(7 * time.Second),
		Work: estimate.Work{Untold: 99_999, Known: true},
	}
	m.Sight.Workers = round.Workers{None: true, Why: "w1: round r1 is scored from mirror https://a.example, this worker's is https://b.example"}
	m.Bucket.CoolDown, m.Bucket.Hold = 10*time.Minute, 20*time.Minute
	return m
}

func TestViewShowsTheRound(t *testing.T) {
	t.Parallel()
	got := runningMoment().lines(80)
	want := []string{
		"round   r1, elapsed 00:24, about 01:40 left",
		"miners  █████████████▒▒▒░░░░░░░░  12/24 done, 1 failed, 3 running, 8 queued",
		"mirror  112 requests, 93 % of the limit in the last minute",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("at a terminal (-want +got):\n%s", diff)
	}
	line := "elapsed 00:24, about 01:40 left; miners 12/24 done, 1 failed, 3 running, 8 queued; " +
		"mirror 112 requests, 93 % of the limit in the last minute"
	if got := runningMoment().line(); got != line {
		t.Errorf("plain: got %q, want %q", got, line)
	}
}

// From 40 columns on no line is wider than the terminal, and nothing that is told
// is lost: at 80 columns a line wrapped as soon as a job was to be retried.
func TestViewFitsEveryWidth(t *testing.T) {
	t.Parallel()
	retried := runningMoment()
	retried.Progress.Planned = 256
	retried.Progress.Done = 244
	retried.Progress.Retrying = 1
	retried.Progress.Degraded = 12
	plain := strings.Fields(crowded().line())
	for name, m := range map[string]moment{"usual": runningMoment(), "retried": retried, "crowded": crowded()} {
		for width := 40; width <= 200; width++ {
			lines := m.lines(width)
			for _, line := range lines {
				if n := terminal.Columns(line); n > width {
					t.Errorf("%s at %d: %d characters: %q", name, width, n, line)
				}
			}
			if name == "crowded" {
				all := strings.Join(lines, " ")
				for _, word := range plain {
					if word = strings.Trim(word, ";,"); terminal.Columns(word) < 30 && !strings.Contains(all, word) {
						t.Errorf("at %d %q is lost", width, word)
					}
				}
			}
		}
	}
	want := []string{
		"round   r1, elapsed 00:24,",
		"        about 01:40 left",
		"miners  12/24 done, 1 failed, 3 running,",
		"        8 queued",
		"mirror  112 requests, 93 % of the limit",
		"        in the last minute",
	}
	if diff := cmp.Diff(want, runningMoment().lines(40)); diff != "" {
		t.Errorf("at 40 columns (-want +got):\n%s", diff)
	}
}

// Whoever watches a round sees why it does not go on, and until when; the time left
// counts it.
func TestViewShowsWhyTheRoundStands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*moment)
		want   []string
	}{
		"a cool-down": {
			func(m *moment) { m.Bucket.CoolDown = 30 * time.Second },
			[]string{"about 02:10 left", "note the egress cools down for another 00:30: the mirror asked for a pause"},
		},
		"a hold": {
			func(m *moment) { m.Bucket.Hold = 65 * time.Second },
			[]string{"about 02:45 left", "note the egress is held by hand for another 01:05 (producer limit --release ends it)"},
		},
		"a mirror that is away": {
			func(m *moment) {
				m.Progress.Stalled = 3
				m.Progress.Stall = "connection refused"
				m.Progress.Asked = m.Now.Add(7 * time.Second)
			},
			[]string{"about 01:47 left", "the mirror does not answer (connection refused): 3 of 3 running jobs wait, and it is asked again in 00:07"},
		},
		"a mirror that is away for some": {
			func(m *moment) {
				m.Progress.Stalled = 1
				m.Progress.Stall = "refused"
				m.Progress.Asked = m.Now
			},
			[]string{"about 01:40 left", "the mirror does not answer (refused): 1 of 3 running jobs wait, and it is asked again now"},
		},
		"a retry": {
			func(m *moment) {
				m.Progress.Retrying = 2
				m.Progress.Trouble = "status 502"
				m.Progress.NextRetry = m.Now.Add(8 * time.Second)
				m.Progress.Work = estimate.Work{Untold: 3, Known: true, LastRetry: m.Now.Add(3 * time.Minute)}
			},
			[]string{"about 03:00 left", "8 queued (2 to retry)", "note the next retry is due in 00:08; it failed with: status 502"},
		},
		"no workers": {
			func(m *moment) { m.Sight.Workers = round.Workers{None: true, Since: started} },
			[]string{"about 01:40 left once a worker takes its jobs", "note no worker takes the round's jobs: none has shown itself for 00:24"},
		},
		"none of the round's": {
			func(m *moment) { m.Sight.Workers = round.Workers{None: true, Why: "w1: another mirror"} },
			[]string{"note no worker takes the round's jobs: w1: another mirror"},
		},
		"Redis away": {
			func(m *moment) { m.Redis = errors.New("Redis does not answer: EOF") },
			[]string{"about 01:40 left once Redis grants permits", "mirror nothing is sent: Redis does not answer: EOF"},
		},
		"NATS away": {
			func(m *moment) { m.NATS, m.Silent = errors.New("NATS refuses: store full"), started },
			[]string{
				"time left unknown", "note NATS refuses: store full",
				"NATS has confirmed nothing for 00:24: the display shows the state before that",
			},
		},
		"before lists": {func(m *moment) { m.Progress.Work = estimate.Work{} }, []string{"elapsed 00:24, time left not known yet; miners"}},
		"beginning":    {func(m *moment) { m.Progress = round.Progress{} }, []string{"elapsed 00:24, beginning; mirror"}},
		"concluding": {
			func(m *moment) { m.Progress = round.Progress{Planned: 3, Done: 3} },
			[]string{"every job has ended: concluding; miners 3/3 done"},
		},
	} {
		m := runningMoment()
		c.change(&m)
		for _, want := range c.want {
			if got := m.line(); !strings.Contains(got, want) {
				t.Errorf("%s: the line is %q, want %q in it", name, got, want)
			}
		}
	}
}

// A producer that stands by has counted nothing: it says for whom it stands by.
func TestViewOfAProducerThatStandsBy(t *testing.T) {
	t.Parallel()
	m := runningMoment()
	m.Progress, m.Sight.StandsBy = round.Progress{}, "host-1/a"
	got := m.line()
	if !strings.Contains(got, "standing by: producer host-1/a runs the round") || strings.Contains(got, "0/0") || strings.Contains(got, "left") {
		t.Errorf("%q, want for whom it stands by, no count and no time left", got)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "00:00", 0: "00:00", 59*time.Second + 600*time.Millisecond: "01:00", 59 * time.Minute: "59:00",
		time.Hour: "1:00:00", 26*time.Hour + 3*time.Second: "26:00:03",
	} {
		if got := view.Clock(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

// What others say reaches no terminal as it is, and is bounded.
func TestViewCleansWhatOthersSay(t *testing.T) {
	t.Parallel()
	m := runningMoment()
	m.Progress.Retrying, m.Progress.Trouble = 1, "a\x1b[2Jb\n"+strings.Repeat("c", 10_000)
	for _, text := range []string{m.line(), strings.Join(m.lines(80), "")} {
		if strings.ContainsAny(text, "\x1b\n") || len(text) > 1000 {
			t.Errorf("%d bytes: %.300q", len(text), text)
		}
	}
}

// What others say may be of characters that take two columns, or none.
func TestViewOfWideCharacters(t *testing.T) {
	t.Parallel()
	m := crowded()
	m.Progress.Trouble = strings.Repeat("接続 ", 30) + strings.Repeat("接続", 30)
	m.Progress.Stall = strings.Repeat("e\u0301", 200)
	m.Sight.Workers.Why = "🚀\u202e\x1b[2J\n" + strings.Repeat("ｗ", 100)
	for _, width := range []int{40, 41, 80, 140} {
		for _, line := range m.lines(width) {
			if got := terminal.Columns(line); got > width || line != terminal.Clean(line) {
				t.Errorf("at %d columns: %q takes %d", width, line, got)
			}
		}
	}
}
