package page

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command/commandtest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/terminal"
)

// What each order prints, and how the schedule stands after it, at 80 characters.
func TestSteeredPages(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	next, overdue := now.Add(83*time.Minute), now.Add(2*time.Hour)
	const name, active = "20260601t113000z-0a1b2c", "serve-1-17-ABCDEF"
	stop := job.Stop{By: "ann@ops", At: now.Add(-12 * time.Minute), Reason: "NATS is moved to another machine, and comes back with its data"}
	round := &job.RoundStop{Round: name, Stop: stop}
	order := &job.Order{By: "ann@ops", At: now}
	var out bytes.Buffer
	for _, s := range []view.Steered{
		{Order: "pause", Changed: true, Schedule: view.Schedule{Producer: active, Running: name, Paused: &stop}},
		{Order: "pause", Schedule: view.Schedule{Paused: &stop}},
		{Order: "resume", Changed: true, Schedule: view.Schedule{Producer: active, NextTurn: &next}},
		{Order: "resume", Schedule: view.Schedule{Producer: active, Running: name}},
		{Order: "now", Changed: true, Schedule: view.Schedule{Producer: active, Ordered: order}},
		{Order: "now", Changed: true, Schedule: view.Schedule{Ordered: order}},
		{Order: "now", Schedule: view.Schedule{Producer: active, Ordered: order}},
		{Order: "pause-round", Changed: true, Round: name, OverdueAt: &overdue, Schedule: view.Schedule{Producer: active, Running: name, PausedRound: round}},
		{Order: "pause-round", Round: name, Schedule: view.Schedule{PausedRound: round}},
		{Order: "resume-round", Changed: true, Round: name},
		{Order: "resume-round"},
	} {
		must.Do(t, steeredAt(terminal.Writer{Writer: &out, Style: terminal.Style{Width: 80}}, s, now))
		out.WriteByte('\n')
	}
	commandtest.Golden(t, filepath.Join("testdata", "steered.txt"), out.String())
}
