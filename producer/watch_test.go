package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/terminal"
)

// follower is a `producer watch --json` under way, whose events a test awaits.
type follower struct {
	*exec.Cmd

	out, log *watched
}

// follow begins to watch the last round, and returns when it has told something.
func follow(t *testing.T, args ...string) *follower {
	t.Helper()
	f := &follower{
		Cmd: command(t, "producer", append([]string{"watch", "--json"}, args...)...),
		out: watch(`"type":"progress"`),
		log: watch("\n"),
	}
	f.Stdout, f.Stderr = f.out, f.log
	must.Do(t, f.Start())
	t.Cleanup(func() { _ = f.Process.Kill() })
	select {
	case <-f.out.seen:
	case <-time.After(time.Minute):
		t.Fatalf("it tells nothing:\n%s\n%s", f.out, f.log)
	}
	return f
}

// ends waits for the end of watching, and returns all that was told. The last event is the
// end of the round, and there is no other.
func (f *follower) ends(t *testing.T, code int) (events []view.Event) {
	t.Helper()
	overdue := time.AfterFunc(2*time.Minute, func() { _ = f.Process.Kill() })
	_ = f.Wait() // the code says it
	overdue.Stop()
	if got := f.ProcessState.ExitCode(); got != code {
		t.Fatalf("exit %d, want %d\n%s\n%s", got, code, f.out, f.log)
	}
	return eventsOf(t, f.out.String())
}

// eventsOf reads lines of --json. Each is an event as it is described.
func eventsOf(t *testing.T, text string) (events []view.Event) {
	t.Helper()
	for line := range strings.Lines(text) {
		if err := webtest.Printed("Event", line); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		var e view.Event
		must.Do(t, json.Unmarshal([]byte(line), &e))
		events = append(events, e)
	}
	for i, e := range events {
		if last := i == len(events)-1; last != (e.Type == view.EventEnd) || last != (e.End != nil) || i > 0 && e.ID < events[i-1].ID {
			t.Fatalf("event %d of %d is %+v, want the end last and alone, and ids that do not fall", i+1, len(events), e)
		}
	}
	return events
}

// A round is followed from its first job to its conclusion, by a process that reads NATS
// alone: each miner is seen at work, with its worker, and done. Followed once more, it says
// at once how it ended.
func TestWatchFollowsARound(t *testing.T) {
	t.Parallel()
	servers := jobstreamtest.Start(t)
	world := fleettest.Simulate(t, "--world", "case:"+settledCase, "--limit", "0", "--case-fault", "400")
	common := []string{
		"--nats", servers.NATSURL(), "--redis", servers.RedisURL(), "--mirror", world.URL,
		"--limit-requests", "20", "--limit-window", "1s", "--limit-horizon", "100ms",
	}
	round := begin(t, "producer", append([]string{
		"run", "--json", "--miners", world.Miners, "--registry", world.Registry, "--as-of", world.AsOf,
	}, common...)...)
	bus, _ := jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{})
	until(t, "a producer runs the round", func() bool {
		rounds := must.Get(bus.Rounds.List(t.Context()))(t)
		if len(rounds) == 0 {
			return false
		}
		_, beat, err := bus.Holders.LastBeat(t.Context(), rounds[0])
		return err == nil && !beat.IsZero()
	})
	stopped := follow(t, "--nats", servers.NATSURL())
	must.Do(t, stopped.Process.Signal(os.Interrupt))
	if _ = stopped.Wait(); stopped.ProcessState.ExitCode() != 130 {
		t.Errorf("interrupted: %s, want exit code 130\n%s", stopped.ProcessState, stopped.log)
	}
	following := follow(t, "--nats", servers.NATSURL())
	worker := work(t, "w1", nil, common...)
	outcome := decode(t, round.end(t))
	events := following.ends(t, 0)
	worker.stop()

	ran, done := map[int]bool{}, map[int]bool{}
	for _, e := range events {
		if m := e.Miner; m != nil {
			ran[m.UID] = ran[m.UID] || m.Phase == job.Running && m.Worker == "w1"
			done[m.UID] = m.Phase == job.Done
		}
	}
	seen := 0
	for uid := range done {
		if done[uid] && ran[uid] {
			seen++
		}
	}
	end := events[len(events)-1].End
	if outcome.Planned == 0 || len(done) != outcome.Planned || seen == 0 || !end.Complete || end.Round != outcome.Round || end.Done != outcome.Planned {
		t.Errorf("%d of %d miners seen at work, the end is %+v; want all done, and the outcome's end\n%s",
			seen, outcome.Planned, end, following.out)
	}
	for uid, is := range done {
		if !is {
			t.Errorf("miner %d was not seen done", uid)
		}
	}

	again, stderr, code := inProcess(t, terminal.Style{}, "watch", outcome.Round, "--nats", servers.NATSURL(), "--json")
	if events := eventsOf(t, again); code != 0 || len(events) != outcome.Planned+2 || events[len(events)-1].End.Revision != 1 {
		t.Errorf("once more: exit %d, want 0, each miner, the counts and the end\n%s%s", code, again, stderr)
	}
}

// A round that nobody runs ends at once with what is known, exit code 1 and the command that
// resumes it. A round that there is not is wrong usage.
func TestWatchOfARoundThatNobodyRuns(t *testing.T) {
	t.Parallel()
	url, bus := listed(t)
	m := must.Get(bus.Rounds.Manifest(t.Context(), shownRound))(t)
	m.Round = "20260609t000000z-010203"
	must.Do(t, bus.Rounds.CreateManifest(t.Context(), m))
	must.Get(bus.Records.Plan(t.Context(), job.Plan(m.Round, 5, "")))(t)
	record, revision, err := bus.Records.Load(t.Context(), m.Round, 5)
	must.Do(t, err)
	claimed := must.Get(record.Claimed(job.Claim{ID: "c", Worker: "w1", Sequence: 1, Delivery: 1}))(t)
	must.Get(bus.Records.Update(t.Context(), claimed, revision))(t)
	for _, c := range []struct {
		args, out, err string
		code           int
	}{
		{"watch", "miner 5     running  attempt 1  w1", "producer run --resume " + m.Round, 1},
		{"watch latest", "round " + m.Round + " is not running, and has no outcome", "", 1},
		{"watch " + replayedRound, "is concluded and not complete", "producer show " + replayedRound, 1},
		{"watch r9", "", `"r9"`, 2},
	} {
		stdout, stderr, code := inProcess(t, terminal.Style{}, append(strings.Fields(c.args), "--nats", url)...)
		if code != c.code || !strings.Contains(stdout, c.out) || !strings.Contains(stderr, c.err) {
			t.Errorf("%s: exit %d, want %d with %q and %q\n%s%s", c.args, code, c.code, c.out, c.err, stdout, stderr)
		}
	}
}

// A local round takes its servers with it when it ends. Whoever follows it is still told how
// it ended, also if the producer is killed, and two followers do not hinder each other. Such
// a follower once waited for NATS for ever.
func TestWatchOutlivesALocalRound(t *testing.T) {
	t.Parallel()
	local := func(limit ...string) (round *running, state string) {
		t.Helper()
		state = filepath.Join(t.TempDir(), "state")
		began := watch("queued")
		round = beginWatched(t, began, "producer", append([]string{
			"run", "--local", "--workers", "1", "--state", state, "--world", "case:" + settledCase,
		}, limit...)...)
		until(t, "the round runs", func() bool { return strings.Contains(began.String(), "queued") })
		return round, state
	}
	round, state := local("--limit-requests", "8", "--limit-window", "8s", "--limit-horizon", "2s") // so that it takes some ten seconds
	first, second := follow(t, "--local", "--state", state), follow(t, "--local", "--state", state)
	if e := round.end(t); e.code != 0 {
		t.Fatalf("exit %d\n%s", e.code, e.stderr)
	}
	for _, one := range []*follower{first, second} {
		events := one.ends(t, 0)
		if end := events[len(events)-1].End; !end.Complete || end.Done != end.Planned {
			t.Errorf("the end is %+v, want a complete round", end)
		}
	}

	round, state = local("--limit-requests", "8", "--limit-window", "20s", "--limit-horizon", "4s") // so that it takes a minute
	third := follow(t, "--local", "--state", state)
	must.Do(t, round.Process.Kill())
	_ = round.Wait()
	events := third.ends(t, 1)
	if end := events[len(events)-1].End; end.Revision != 0 || end.Outstanding == 0 || !strings.Contains(third.log.String(), "--state "+state+" --resume "+end.Round) {
		t.Errorf("the end is %+v, saying\n%s\nwant jobs outstanding, and the command that resumes the round", end, third.log)
	}
}
