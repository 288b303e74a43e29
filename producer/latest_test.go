package main_test

import (
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit/redistest"
	"mirrorfleet/shared/terminal"
)

// Without a concluded round, "latest" gives exit code 2, and the error says what there
// is: no round, a round that a producer runs, or a round without a producer. Only for the
// last one does it name the command that resumes a round.
func TestLatestSaysWhatThereIs(t *testing.T) {
	t.Parallel()
	bare := jobstreamtest.Start(t).NATSURL()
	url := jobstreamtest.Start(t).NATSURL()
	bus, _ := jobstreamtest.Open(t, url, jobstream.Config{})
	check := func(state, url, want string, resumes bool) {
		t.Helper()
		for _, line := range []string{"show latest", "rewards", "rewards latest", "export", "replay latest --dry-run"} {
			stdout, stderr, code := inProcess(t, terminal.Style{}, append(strings.Fields(line), "--nats", url)...)
			if code != 2 || stdout != "" || !strings.Contains(stderr, want) || strings.Contains(stderr, "--resume") != resumes {
				t.Errorf("%s, %s: exit %d saying %q, want 2 with %q, advice to resume: %t", state, line, code, stderr, want, resumes)
			}
		}
	}
	failed := func(state, url, want string, exit int, resumes bool) {
		t.Helper()
		stdout, stderr, code := inProcess(t, terminal.Style{}, "failed", "--nats", url)
		if code != exit || !strings.Contains(stdout+stderr, want) || strings.Contains(stdout+stderr, "--resume") != resumes {
			t.Errorf("%s, failed: exit %d saying %q%q, want %d with %q, advice to resume: %t", state, code, stdout, stderr, exit, want, resumes)
		}
	}
	check("no streams", bare, "there is no round yet: no producer has declared the streams yet", false)
	failed("no streams", bare, "there is no round yet: no producer has declared the streams yet", 2, false)
	check("no round", url, "there is no round yet", false)
	_, said, exit := inProcess(t, terminal.Style{}, "run", "--resume", "latest", "--nats", url, "--redis", redistest.Start(t).URL())
	if exit != 2 || !strings.Contains(said, "there is no round yet") {
		t.Errorf("run --resume latest without a round: exit %d saying %q, want 2 with %q", exit, said, "there is no round yet")
	}
	failed("no round", url, "there is no round yet", 2, false)

	m := job.Manifest{Round: openRound, Registry: []byte("{}"), Languages: []byte("{}"), Tokens: []byte("{}")}
	must.Do(t, bus.Rounds.CreateManifest(t.Context(), m))
	revision := must.Get(bus.Holders.Set(t.Context(), openRound, job.Holder{Name: "host-7/x", For: time.Hour}, 0))(t)
	check("running", url, "the last one is round "+openRound+", which producer host-7 runs (0 of 0 jobs outstanding)", false)
	failed("running", url, "Round "+openRound, 0, false)
	stdout, stderr, code := inProcess(t, terminal.Style{}, "show", openRound, "--nats", url)
	if want := "Not concluded yet: producer host-7 runs it"; code != 0 || !strings.Contains(stdout, want) {
		t.Errorf("running, by its name: exit %d saying %q, want 0 with %q\n%s", code, stdout, want, stderr)
	}

	must.Get(bus.Holders.Set(t.Context(), openRound, job.Holder{Name: "host-7/x", For: time.Hour, Released: true}, revision))(t)
	check("stopped", url, "which no producer runs (0 of 0 jobs outstanding): producer run --resume "+openRound+" resumes it", true)
	failed("stopped", url, "No producer runs the round: producer run --resume "+openRound, 0, true)
}

// Missing parts of the streams are named. They are no reason to say that there is no
// round.
func TestAStreamThatIsGoneIsNamed(t *testing.T) {
	t.Parallel()
	servers := jobstreamtest.Start(t)
	bus, _ := jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{})
	storeRound(t, bus)
	_, js := jobstreamtest.Connect(t, servers.NATSURL(), nil)
	must.Do(t, js.DeleteStream(t.Context(), "KV_"+job.BucketRecords))
	for _, line := range []string{"rounds", "show latest", "failed"} {
		stdout, stderr, code := inProcess(t, terminal.Style{}, append(strings.Fields(line), "--nats", servers.NATSURL())...)
		if code == 0 || !strings.Contains(stderr, "what a producer declares is gone: KV_RECORDS") || strings.Contains(stdout+stderr, "no round yet") {
			t.Errorf("%s: exit %d saying %q%q, want an error that names KV_RECORDS", line, code, stdout, stderr)
		}
	}
}

// If the records of a concluded round are gone, its page names the miners, and the
// command that makes the records again.
func TestFailedNamesTheWayOut(t *testing.T) {
	t.Parallel()
	url, _ := listed(t)
	_, js := jobstreamtest.Connect(t, url, nil)
	jobstreamtest.Remove(t, js, job.BucketRecords, job.RecordKey(replayedRound, 6))
	stdout, stderr, code := inProcess(t, terminal.Style{Width: 80}, "failed", replayedRound, "--nats", url)
	for _, want := range []string{"2 failed, 1 degraded, 0 outstanding", "its record is gone", "Remedy: producer replay " + replayedRound} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, want 0 and %q\n%s%s", code, want, stdout, stderr)
		}
	}
}
