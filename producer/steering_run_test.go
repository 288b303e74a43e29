package main_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit/redistest"
)

// steers is a fleet whose schedule is steered: one worker, the validator's files, and the
// arguments of its producers, with those of them that name the servers.
type steers struct {
	nats    string
	bus     *jobstream.Bus
	inputs  *installation
	servers []string
	args    []string
	worker  *worker
}

func steered(t *testing.T, miners int) *steers {
	t.Helper()
	world, sim := soundWorld(t, 0, miners)
	redis := redistest.Start(t)
	nats, bus := leased(t, 5*time.Second)
	common := []string{"--nats", nats, "--redis", redis.URL(), "--mirror", sim.URL, "--limit-horizon", "1s", "--log-level", "debug"}
	inputs := install(t, world)
	args := append(append(inputs.flags(), common...), "--every", "1h", "--takeover", "2s", "--reconcile", "1s", "--listen", "127.0.0.1:0")
	return &steers{
		nats:    nats,
		bus:     bus,
		inputs:  inputs,
		servers: common,
		args:    args,
		worker:  work(t, "server", nil, common...),
	}
}

// order gives an order as a process of its own, and wants it to have changed something or not.
func (s *steers) order(t *testing.T, changed bool, args ...string) view.Steered {
	t.Helper()
	ran := run(t, "producer", append(args, "--nats", s.nats, "--json")...)
	var did view.Steered
	if err := json.Unmarshal([]byte(ran.stdout), &did); err != nil || ran.code != 0 || did.Changed != changed {
		t.Fatalf("%v: exit %d, want changed %v\n%s%s", args, ran.code, changed, ran.stdout, ran.stderr)
	}
	return did
}

// dies gives an order that is killed once it is stored.
func (s *steers) dies(t *testing.T, args ...string) {
	t.Helper()
	cmd := command(t, "producer", append(args, "--nats", s.nats)...)
	cmd.Env = append(cmd.Env, crash.Env+"="+crash.Setting(crash.SteerWritten, 1))
	if err := cmd.Run(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("%v: %v, want it killed", args, err)
	}
}

// rounds counts the rounds that were planned.
func (s *steers) rounds(t *testing.T) int {
	t.Helper()
	return len(must.Get(s.bus.Rounds.List(t.Context()))(t))
}

// A turn that is ordered begins once, though the producer that sees the order is killed
// before the turn, the next one with the turn, and the order is given three times, the first
// time by a process that is killed when it is stored. While the round runs an order is
// refused. Then the schedule is paused: no turn can be ordered, the standby that takes over
// keeps to the pause and is ready, and serve --once begins nothing; afterwards it refuses to
// run beside the active producer.
func TestTheScheduleInTheHand(t *testing.T) {
	t.Parallel()
	s := steered(t, 3)
	first := serve(t, nil, append(slices.Clone(s.args), "--every", "1h")...)
	concluded(t, s.bus, 1)
	until(t, "it waits", first.says("waiting for the next turn"))
	first.stop(t)
	s.dies(t, "now")
	s.order(t, false, "now")
	s.order(t, false, "now")
	for _, point := range []crash.Point{crash.TurnOrdered, crash.TurnTaken} {
		doomed := serve(t, []string{crash.Env + "=" + crash.Setting(point, 1)}, s.args...)
		_ = doomed.Wait()
	}
	if n := s.rounds(t); n != 1 {
		t.Fatalf("%d rounds, want the first alone: nobody lived to begin the second", n)
	}
	second := serve(t, nil, s.args...)
	until(t, "the ordered round runs", func() bool { return s.rounds(t) == 2 })
	if ran := run(t, "producer", "now", "--nats", s.nats); ran.code != 2 || !strings.Contains(ran.stderr, "a turn begins when it has ended") {
		t.Errorf("a turn ordered while a round runs: exit %d\n%s", ran.code, ran.stderr)
	}
	concluded(t, s.bus, 2)
	until(t, "it waits", second.says("waiting for the next turn"))
	s.order(t, true, "pause", "--reason", "NATS is moved")
	s.order(t, false, "pause")
	if ran := run(t, "producer", "now", "--nats", s.nats); ran.code != 2 || !strings.Contains(ran.stderr, "producer resume ends the pause") {
		t.Errorf("a turn ordered while the schedule is paused: exit %d\n%s", ran.code, ran.stderr)
	}
	third := serve(t, nil, s.args...)
	until(t, "the third stands by", third.says("standing by"))
	second.kill()
	until(t, "the third keeps to the pause", third.says("the schedule is paused"))
	if status, body := third.page(t, "/readyz"); status != http.StatusOK || !strings.Contains(body, "NATS is moved") {
		t.Errorf("/readyz while the schedule is paused: %d %s, want 200 and the reason", status, body)
	}
	if ran := run(t, "producer", append([]string{"serve", "--once"}, s.args...)...); ran.code != 2 || !strings.Contains(ran.stderr, "is active") {
		t.Errorf("one round beside an active producer: exit %d\n%s", ran.code, ran.stderr)
	}
	third.stop(t)
	if ran := run(t, "producer", append([]string{"serve", "--once"}, s.args...)...); ran.code != 2 || !strings.Contains(ran.stderr, "the schedule is paused: by") {
		t.Errorf("one round while the schedule is paused: exit %d\n%s", ran.code, ran.stderr)
	}
	s.order(t, true, "resume")
	if ran := run(t, "producer", append([]string{"serve", "--once"}, s.args...)...); ran.code > 1 || !strings.Contains(ran.stdout, "Round ") {
		t.Errorf("one round: exit %d\n%s%s", ran.code, ran.stdout, ran.stderr)
	}
	if n := s.rounds(t); n != 3 {
		t.Errorf("%d rounds, want three: the first, the ordered one, and the one of serve --once", n)
	}
	s.worker.stop()
	checkRounds(t, s.bus)
}

// While a round is paused no job is claimed, and nobody counts that against a job or a
// worker: not the leases, which the pause outlasts, not the attendance, and not a producer
// that takes over. An order that dies when it is stored counts. The audit is clean, and the
// pause ends with its round.
func TestARoundInTheHand(t *testing.T) {
	t.Parallel()
	s := steered(t, 12)
	first := serve(t, nil, s.args...)
	until(t, "jobs are done", func() bool { return s.phase(t, job.Done) > 0 })
	s.dies(t, "pause", "--round", "--reason", "the mirror's operator asks")
	until(t, "the producer follows the order", first.says("the round is paused"))
	s.order(t, false, "pause", "--round")
	until(t, "the jobs that workers have are done", func() bool { return s.phase(t, job.Running) == 0 })
	done := s.phase(t, job.Done)
	second := serve(t, nil, s.args...)
	until(t, "the second stands by", second.says("standing by"))
	first.kill()
	until(t, "the second follows the order", second.says("the round is paused"))
	patience := time.Now().Add(12 * time.Second) // twice a lease, in which nothing may happen
	until(t, "more than two leases have gone", func() bool { return time.Now().After(patience) })
	if n := s.phase(t, job.Done); n != done || s.phase(t, job.Running) > 0 {
		t.Errorf("%d jobs are done and %d run, want %d and none while the round is paused", n, s.phase(t, job.Running), done)
	}
	since := regexp.MustCompile(`mirrorfleet_paused_seconds\{pause_of="round"\} [1-9]`)
	if _, metrics := second.page(t, "/metrics"); !since.MatchString(metrics) {
		t.Error("the metrics do not say that the round is paused")
	}
	s.dies(t, "resume", "--round")
	r := concluded(t, s.bus, 1)
	if r.Failed > 0 || r.Retries > 0 {
		t.Errorf("the round has %d failed and %d retries: want none for the pause", r.Failed, r.Retries)
	}
	for _, one := range []*server{first, second} {
		for _, wrong := range []string{"no worker takes the jobs", "message withheld", "lease lapsed"} {
			if one.says(wrong)() {
				t.Errorf("a producer misreads the pause: %q", wrong)
			}
		}
	}
	s.worker.stop()
	checkRounds(t, s.bus)
}

// phase counts the jobs of all rounds in a phase.
func (s *steers) phase(t *testing.T, phase job.Phase) (n int) {
	t.Helper()
	for _, name := range must.Get(s.bus.Rounds.List(t.Context()))(t) {
		for _, r := range must.Get(s.bus.Records.List(t.Context(), name))(t) {
			if r.Phase == phase {
				n++
			}
		}
	}
	return n
}
