package page

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command/commandtest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/terminal"
)

// followedMiners are miners of each phase, in the order of their uids. What others say of
// them is hostile.
func followedMiners() []view.MinerNow {
	return []view.MinerNow{
		{UID: 2, Phase: job.Planned},
		{UID: 3, Phase: job.Done, Attempt: 1, Worker: "worker-1"},
		{UID: 5, Phase: job.Running, Attempt: 1, Worker: "worker-1", Doing: "permit, 3rd in line, for files of acme/widgets#12"},
		{UID: 17, Phase: job.Failed, Attempt: 4, Failures: 4, Worker: "worker-2", Failure: "permanent: \x1b[2Jmirror GET /api/v1/miners/17: status 404"},
		{
			UID: 44, Phase: job.Planned, Attempt: 1, Failures: 1, Failure: "transient: status 502",
			Doing: "retry at 12:00:08 after: files of acme/widgets#7: status 502: bad\ngateway",
		},
		{
			UID: 117, Phase: job.Running, Attempt: 2, Failures: 1, Worker: "worker-of-a-host-with-a-long-name-17", Failure: "transient: status 502",
			Doing: "breaker until 12:03:20, for the list of 接続: \x1b]0;no\astatus 503",
		},
		{UID: 240, Phase: job.Running, Attempt: 1, Worker: "worker-2"},
	}
}

// The display with the miners below it, and the lines of events where nothing is redrawn.
func TestWatchPages(t *testing.T) {
	t.Parallel()
	m := runningMoment()
	m.Miners = followedMiners()
	for name, width := range map[string]int{"display": pageWidth, "display.wide": 140} {
		lines := m.lines(width)
		for _, line := range lines {
			if terminal.Columns(line) > width || line != terminal.Clean(line) {
				t.Errorf("%s: %d columns, want at most %d, and nothing that steers a terminal: %q", name, terminal.Columns(line), width, line)
			}
		}
		commandtest.Golden(t, filepath.Join("testdata", "watch", name+".txt"), strings.Join(lines, "\n")+"\n")
	}

	m.Took = 75 * time.Second
	if line := m.lines(pageWidth)[0]; !strings.Contains(line, "elapsed 01:15, concluded") {
		t.Errorf("of a concluded round: %q, want how long it took, and that it is concluded", line)
	}

	var out bytes.Buffer
	events := []view.Event{
		{Progress: &view.RoundProgress{Planned: 24, Queued: 8, Running: 3, Done: 12, Failed: 1, Degraded: 2, Retrying: 1}},
		{End: &view.Summary{Round: "r1", Revision: 1, Complete: true, Planned: 24, Done: 24}},
		{End: &view.Summary{Round: "r1", Revision: 1, Planned: 24, Done: 23, Failed: 1, Degraded: 2}},
		{End: &view.Summary{Round: "r1", Planned: 24, Done: 12, Failed: 1, Outstanding: 11}},
	}
	for _, one := range followedMiners() {
		events = append(events, view.Event{Miner: &one})
	}
	for i, e := range events {
		e.At = started.Add(time.Duration(i) * time.Second)
		must.Do(t, Event(&out, e))
	}
	commandtest.Golden(t, filepath.Join("testdata", "watch", "lines.txt"), out.String())
	if lines := strings.Count(out.String(), "\n"); lines != len(events) || strings.ContainsAny(out.String(), "\x1b\a") {
		t.Errorf("%d lines for %d events, want one each, and nothing that steers a terminal", lines, len(events))
	}
}
