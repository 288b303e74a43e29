package page

import (
	"bytes"
	"path/filepath"
	"slices"
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
	const build = "v0.0.0-20260618100000-0a1b2c3d4e5f"
	of := func(name string, stand view.ProducerStanding, up, ago time.Duration) view.Producer {
		seen := now.Add(-ago)
		return view.Producer{Name: name, Standing: stand, Version: build, Started: seen.Add(-up), Seen: seen, SeenAgo: ago.Seconds()}
	}
	all := []view.Producer{
		of(active, view.ProducerLeads, 50*time.Hour, time.Second), of("serve-2-17-GHIJKL", view.ProducerStandsBy, time.Minute, 0),
		of("vm-4-MNOPQR", view.ProducerStandsBy, time.Minute, 0), of("gone\x1b[2J-1", view.ProducerSilent, time.Hour, time.Minute), of("gone-2", view.ProducerSilent, time.Hour, time.Hour),
		of("gone-3", view.ProducerSilent, time.Hour, 2*time.Hour), of("gone-4", view.ProducerSilent, time.Hour, 3*time.Hour), of("left", view.ProducerLeft, time.Hour, time.Hour),
	}
	all[2].Round = name
	updated := slices.Clone(all[:2])
	updated[1].Version = "v0.0.0-20260620100000-1b2c3d4e5f0a"
	off := &job.PutOff{Input: "tokens", Since: now.Add(-5 * time.Minute), Why: "tokens /etc/validator/miner_pats.json: permission denied: it has mode 0600"}
	past := now.Add(-5 * time.Minute)
	var out bytes.Buffer
	for _, s := range []view.Steered{
		{Order: "pause", Changed: true, Schedule: view.Schedule{Producer: active, Running: name, Paused: &stop}},
		{Order: "pause", Schedule: view.Schedule{Paused: &stop}},
		{Order: "resume", Changed: true, Schedule: view.Schedule{Producer: active, NextTurn: &next}},
		{Order: "resume", Schedule: view.Schedule{Producer: active, Running: name}},
		{Order: "resume", Schedule: view.Schedule{Producer: active, NextTurn: &past, PutOff: off, Producers: all}},
		{Order: "now", Changed: true, Schedule: view.Schedule{Producer: active, Ordered: order, Producers: updated}},
		{Order: "now", Changed: true, Schedule: view.Schedule{Ordered: order}},
		{Order: "now", Schedule: view.Schedule{Producer: active, Ordered: order}},
		{Order: "now", Schedule: view.Schedule{Ordered: order, Producers: all[3:4]}},
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
