package view

import (
	"cmp"
	"fmt"
	"time"

	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/job"
)

// Remaining is how long a round still takes, if that is Known. Why says on what that depends,
// or why it is not known; "" for nothing to say.
type Remaining struct {
	Time  time.Duration
	Known bool
	Why   string
}

// Remaining says how long the round still takes. While that cannot be known, because NATS is
// silent or no job has read its lists, it says so and guesses nothing.
func (m *Moment) Remaining() Remaining {
	switch p := m.Progress; {
	case m.Took > 0:
		return Remaining{Why: "concluded"}
	case m.Sight.StandsBy != "":
		return Remaining{}
	case p.Planned == 0:
		return Remaining{Why: "beginning"}
	case p.Outstanding() == 0:
		return Remaining{Why: "every job has ended: concluding"}
	case !m.Silent.IsZero():
		return Remaining{Why: "time left unknown"}
	}
	left, known := m.Left()
	switch {
	case !known:
		return Remaining{Why: "time left not known yet"}
	case m.Redis != nil:
		return Remaining{left, true, "once Redis grants permits"}
	case m.Sight.Paused != nil:
		return Remaining{left, true, "once it is resumed"}
	case m.Sight.Workers.None:
		return Remaining{left, true, "once a worker takes its jobs"}
	}
	return Remaining{max(left, time.Second), true, ""}
}

// Notes say why the round stands still, or is slower than it could be. The state of jobs
// is left out while NATS is silent, because it is from before.
func (m *Moment) Notes() (notes []string) {
	note := func(when bool, format string, args ...any) {
		if when {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	p, workers := m.Progress, m.Sight.Workers
	note(m.Sight.StandsBy != "", "standing by: producer %s runs the round, and this one takes over if that one dies", m.Sight.StandsBy)
	if m.NATS != nil {
		notes = append(notes, shortly(m.NATS.Error()),
			"NATS has confirmed nothing for "+Clock(m.Now.Sub(m.Silent))+": the display shows the state before that")
	}
	if stop := m.Sight.Paused; stop != nil {
		notes = append(notes, m.paused(*stop))
	}
	open := m.Sight.StandsBy == "" && m.Silent.IsZero()
	note(open && workers.None, "no worker takes the round's jobs: %s",
		cmp.Or(shortly(workers.Why), "none has shown itself for "+Clock(m.Now.Sub(workers.Since))))
	note(m.Bucket.CoolDown > 0, "the egress cools down for another %s: the mirror asked for a pause", Clock(m.Bucket.CoolDown))
	note(m.Bucket.Hold > 0, "the egress is held by hand for another %s (producer limit --release ends it)", Clock(m.Bucket.Hold))
	note(open && p.Stalled > 0, "the mirror does not answer (%s): %d of %d running jobs wait, and it is asked again %s",
		shortly(p.Stall), p.Stalled, p.Running, Soon(p.Asked.Sub(m.Now)))
	note(open && p.Retrying > 0, "the next retry is due %s; it failed with: %s", Soon(p.NextRetry.Sub(m.Now)), shortly(p.Trouble))
	return notes
}

// paused says that no job is handed out, for how long, by whom and why. The pause of another
// round holds this one back, too.
func (m *Moment) paused(stop job.RoundStop) string {
	what := "the round is paused"
	if stop.Round != m.Round {
		what = "round " + stop.Round + " is paused, and shares the queue"
	}
	return fmt.Sprintf("%s for %s, %s: no job is handed out until producer resume --round",
		what, Clock(m.Now.Sub(stop.At)), shortly(stop.Text()))
}

// shortly cuts a text of others to 240 characters. The log and `producer failed` have all of
// it.
func shortly(text string) string { return bounded.Line(text, 240) }

// Soon says when something comes; "now" below a second.
func Soon(d time.Duration) string {
	if d < time.Second {
		return "now"
	}
	return "in " + Clock(d)
}

// Clock prints a duration as minutes and seconds, and hours if there are any; a negative
// one as 00:00.
func Clock(d time.Duration) string {
	seconds := int(max(d, 0).Round(time.Second).Seconds())
	if hours := seconds / 3600; hours > 0 {
		return fmt.Sprintf("%d:%02d:%02d", hours, seconds/60%60, seconds%60)
	}
	return fmt.Sprintf("%02d:%02d", seconds/60, seconds%60)
}
