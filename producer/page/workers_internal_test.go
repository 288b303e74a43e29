package page

import (
	"bytes"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command/commandtest"
	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/terminal"
)

// crew are worker processes of each standing; the clock of one is hours behind, and what it
// tells is hostile.
func crew() jobstream.Roll {
	now := time.Date(2026, 6, 18, 18, 54, 10, 0, time.UTC)
	round := "20260618t185400z-0a1b2c"
	behind := now.Add(-3 * time.Hour)
	told := func(uid int, d doing.State) job.WorkerJob {
		return job.WorkerJob{Round: round, UID: uid, Since: behind.Add(-72 * time.Second), Requests: uid, Doing: d}
	}
	working := job.Worker{
		Name: "worker-of-a-host-with-a-long-name-17", Build: "v0.0.0-20260618100000-0a1b2c3d4e5f", Host: "worker-of-a-host-with-a-long-name",
		Egress: "eu-1", Slots: 8, Started: behind.Add(-time.Hour), At: behind, Permits: 118, Of: time.Minute, Share: 0.39,
		Jobs: []job.WorkerJob{
			told(5, doing.State{What: "files of acme/widgets#12", Waits: doing.Permit, Place: 3}),
			told(117, doing.State{What: "files of acme/widgets#14", Waits: doing.Retry, For: 8 * time.Second, Why: "status 502: \x1b[2Jbad gateway"}),
			told(6, doing.State{What: "the list of pull requests", Waits: doing.Breaker, For: 30 * time.Second, Why: "status 503"}),
			told(7, doing.State{What: "scoring files of acme/widgets#15"}),
			told(8, doing.State{What: "the list of issues", Waits: doing.Redis, Why: "Redis refuses: OOM"}),
			told(9, doing.State{}),
			{Round: "warm-20260618t185400z", UID: 10, WarmUp: true, Since: behind, Doing: doing.State{What: "the list of issues", Waits: doing.Connection}},
		},
	}
	idle := job.Worker{Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, Name: "w2", Build: "v1.2.3", Host: "h2", Egress: "eu-2", Slots: 1, Started: now.Add(-2 * time.Second), At: now}
	silent := job.Worker{Name: "w3", Build: "v1.2.3", Host: "h3", Egress: "eu-2", Slots: 4, Started: behind.Add(-time.Hour), At: behind, Jobs: working.Jobs[:1], Of: time.Minute}
	left := job.Worker{Name: "w4", Build: "v1.2.2", Host: "h4", Egress: "eu-1", Slots: 4, Started: now, At: now, Left: "ended with an error: pulling jobs: nats: \x1b]0;no\aauthorization"}
	return jobstream.Roll{
		Now: now, Unreadable: []string{"mZ0c"},
		Workers: []jobstream.Present{
			{Worker: left, Process: "a", Stored: now.Add(-10 * time.Minute)},
			{Worker: silent, Process: "b", Stored: now.Add(-43 * time.Second)},
			{Worker: idle, Process: "c", Stored: now.Add(-time.Second)},
			{Worker: working, Process: "d", Stored: now.Add(-2 * time.Second)},
		},
	}
}

// The page of workers, with each thing that a job can wait for.
func TestWorkersPage(t *testing.T) {
	t.Parallel()
	goldenPage(t, "workers/list", "Workers", view.WorkersOf(crew()), Workers)
	var wide bytes.Buffer
	must.Do(t, Workers(terminal.Writer{Writer: &wide, Style: terminal.Style{Width: 140}}, view.WorkersOf(crew())))
	commandtest.Golden(t, filepath.Join("testdata", "workers", "list.wide.txt"), wide.String())
	goldenPage(t, "workers/none", "Workers", view.WorkersOf(jobstream.Roll{}), Workers)
}
