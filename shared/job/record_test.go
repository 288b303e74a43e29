package job_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
)

var at = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// own is the claim that running and ended records of the table hold.
func own() job.Claim {
	return job.Claim{ID: "own", Worker: "w1", Since: at, Sequence: 10, Delivery: 3, Replay: 1, For: time.Minute, Beat: 5}
}

// recordIn is a record of replay 1 in the given phase, with figures that tell
// whether a transition keeps, adds or clears them.
func recordIn(phase job.Phase) job.Record {
	r := job.Plan("r1", 7, "trace")
	r.Phase = phase
	r.Replay = 1
	r.Deliveries = 3
	r.Failures = 2
	r.Requests = 40
	c := own()
	switch phase {
	case job.Planned:
		r.Claim = &c // kept from a failed attempt
	case job.Running:
		r.Claim, r.Expected = &c, 9
	case job.Done:
		r.Claim = &c
		r.Evaluation = "r1.7.own"
		r.Degraded = true
	case job.Failed:
		r.Claim, r.Failure = &c, &job.Failure{Class: job.Permanent, Error: "gone", At: at}
	}
	return r
}

// event is one thing that can be asked of a record.
type event struct {
	name string
	do   func(job.Record) (job.Record, error)
}

func events() []event {
	claim := func(sequence, delivery uint64, replay int) func(job.Record) (job.Record, error) {
		return func(r job.Record) (job.Record, error) {
			return r.Claimed(job.Claim{ID: "new", Worker: "w2", Since: at, Sequence: sequence, Delivery: delivery, Replay: replay})
		}
	}
	f := job.Failure{Class: job.Transient, Error: "502", At: at}
	exhaust := func(replay int, sequence uint64) func(job.Record) (job.Record, error) {
		return func(r job.Record) (job.Record, error) { return r.Exhausted(replay, sequence, f) }
	}
	held := func(name string, do func(job.Record, string) (job.Record, error)) []event {
		return []event{
			{name, func(r job.Record) (job.Record, error) { return do(r, "own") }},
			{name + " by another", func(r job.Record) (job.Record, error) { return do(r, "other") }},
		}
	}
	overdue := func(replay int) func(job.Record) (job.Record, error) {
		return func(r job.Record) (job.Record, error) { return r.GivenUp(replay, f) }
	}
	all := []event{
		{"claim by a later delivery", claim(10, 4, 1)},
		{"claim by the same delivery", claim(10, 3, 1)},
		{"claim by an earlier delivery", claim(10, 2, 1)},
		{"claim by a later message", claim(11, 1, 1)},
		{"claim by an earlier message", claim(9, 8, 1)},
		{"claim of an earlier replay", claim(11, 1, 0)},
		{"claim of a later replay", claim(11, 1, 2)},
		{"exhaust", exhaust(1, 10)},
		{"exhaust by a later message", exhaust(1, 11)},
		{"exhaust by an earlier message", exhaust(1, 9)},
		{"exhaust of an earlier replay", exhaust(0, 11)},
		{"exhaust of a later replay", exhaust(2, 11)},
		{"overdue", overdue(1)},
		{"overdue in an earlier replay", overdue(0)},
		{"overdue in a later replay", overdue(2)},
		{"replan the next", func(r job.Record) (job.Record, error) { return r.Replanned(2, "t2") }},
		{"reopen", job.Record.Reopened},
		{"end as damaged", func(r job.Record) (job.Record, error) { return r.DeclaredDamaged(f), nil }},
		{"replan the same", func(r job.Record) (job.Record, error) { return r.Replanned(1, "t2") }},
	}
	all = append(all,
		event{"lapse after another sign of life", func(r job.Record) (job.Record, error) { return r.Lapsed("own", 4, at) }})
	for _, pair := range [][]event{
		held("beat", func(r job.Record, c string) (job.Record, error) { return r.Beaten(c, job.Sign{Left: -1}) }),
		held("lapse", func(r job.Record, c string) (job.Record, error) { return r.Lapsed(c, 5, at) }),
		held("expect", func(r job.Record, c string) (job.Record, error) { return r.Expecting(c, 12, job.Sign{Left: -1}) }),
		held("hand back", func(r job.Record, c string) (job.Record, error) {
			return r.HandedBack(c, job.Spent{Requests: 5, Left: -1, At: at}, "")
		}),
		held("fail", func(r job.Record, c string) (job.Record, error) {
			return r.FailedAttempt(c, job.Spent{Requests: 5, Left: -1}, f)
		}),
		held("commit", func(r job.Record, c string) (job.Record, error) { return r.Committed(c, 5, "key", false, at) }),
		held("bury", func(r job.Record, c string) (job.Record, error) { return r.Buried(c, 5, "", f) }),
	} {
		all = append(all, pair...)
	}
	return all
}

// outcome is what the table says: the phase that follows with its counts, or
// the error.
func outcome(r job.Record, err error) string {
	switch {
	case errors.Is(err, job.ErrFenced):
		return "fenced"
	case errors.Is(err, job.ErrSettled):
		return "settled"
	case errors.Is(err, job.ErrNotEnded):
		return "not ended"
	case err != nil:
		return "unnamed error: " + err.Error()
	}
	text := fmt.Sprintf("%s d%d f%d r%d e%d", r.Phase, r.Deliveries, r.Failures, r.Requests, r.Expected)
	if r.Unreported > 0 {
		text += fmt.Sprintf(" u%d", r.Unreported)
	}
	if r.Lapses > 0 {
		text += fmt.Sprintf(" l%d", r.Lapses)
	}
	if r.Phase == job.Running && r.Claim.ID == "own" {
		text += fmt.Sprintf(" b%d", r.Claim.Beat)
	}
	return text
}

// TestTransitions holds every (phase, event). The columns are planned,
// running, done, failed; d, f, r, e are deliveries, failures, requests and
// expected requests, from 3, 2, 40 (and 9 while running); u is an attempt that
// was ended by others, so that its requests are not counted, l one that ended
// without a word and may run again, b the signs of life of the claim, from 5.
func TestTransitions(t *testing.T) {
	t.Parallel()
	phases := []job.Phase{job.Planned, job.Running, job.Done, job.Failed}
	table := map[string][4]string{
		"claim by a later delivery":        {"running d4 f2 r40 e0", "running d4 f2 r40 e0 u1 l1", "settled", "settled"},
		"claim by the same delivery":       {"running d4 f2 r40 e0", "fenced", "settled", "settled"},
		"claim by an earlier delivery":     {"running d4 f2 r40 e0", "fenced", "settled", "settled"},
		"claim by a later message":         {"running d4 f2 r40 e0", "running d4 f2 r40 e0 u1 l1", "settled", "settled"},
		"claim by an earlier message":      {"running d4 f2 r40 e0", "fenced", "settled", "settled"},
		"claim of an earlier replay":       {"settled", "settled", "settled", "settled"},
		"claim of a later replay":          {"fenced", "fenced", "settled", "settled"},
		"exhaust":                          {"failed d3 f2 r40 e0", "failed d3 f2 r40 e0 u1", "settled", "settled"},
		"exhaust by a later message":       {"failed d3 f2 r40 e0", "failed d3 f2 r40 e0 u1", "settled", "settled"},
		"exhaust by an earlier message":    {"fenced", "fenced", "settled", "settled"},
		"exhaust of an earlier replay":     {"settled", "settled", "settled", "settled"},
		"exhaust of a later replay":        {"fenced", "fenced", "settled", "settled"},
		"overdue":                          {"failed d3 f2 r40 e0", "failed d3 f2 r40 e0 u1", "settled", "settled"},
		"overdue in an earlier replay":     {"settled", "settled", "settled", "settled"},
		"overdue in a later replay":        {"fenced", "fenced", "settled", "settled"},
		"replan the next":                  {"not ended", "not ended", "planned d3 f0 r40 e0", "planned d3 f0 r40 e0"},
		"replan the same":                  {"not ended", "not ended", "settled", "settled"},
		"reopen":                           {"not ended", "not ended", "planned d3 f0 r40 e0", "planned d3 f0 r40 e0"},
		"end as damaged":                   {"failed d3 f2 r40 e0", "failed d3 f2 r40 e0 u1", "failed d3 f2 r40 e0", "failed d3 f2 r40 e0"},
		"expect":                           {"fenced", "running d3 f2 r40 e12 b6", "settled", "settled"},
		"expect by another":                {"fenced", "fenced", "settled", "settled"},
		"beat":                             {"fenced", "running d3 f2 r40 e9 b6", "settled", "settled"},
		"beat by another":                  {"fenced", "fenced", "settled", "settled"},
		"lapse":                            {"fenced", "planned d3 f2 r40 e0 u1 l1", "settled", "settled"},
		"lapse by another":                 {"fenced", "fenced", "settled", "settled"},
		"lapse after another sign of life": {"fenced", "fenced", "settled", "settled"},
		"hand back":                        {"fenced", "planned d3 f2 r45 e0", "settled", "settled"},
		"hand back by another":             {"fenced", "fenced", "settled", "settled"},
		"fail":                             {"fenced", "planned d3 f3 r45 e0", "settled", "settled"},
		"fail by another":                  {"fenced", "fenced", "settled", "settled"},
		"commit":                           {"fenced", "done d3 f2 r45 e0", "settled", "settled"},
		"commit by another":                {"fenced", "fenced", "settled", "settled"},
		"bury":                             {"fenced", "failed d3 f3 r45 e0", "settled", "settled"},
		"bury by another":                  {"fenced", "fenced", "settled", "settled"},
	}
	all := events()
	if len(all) != len(table) {
		t.Fatalf("%d events, the table has %d", len(all), len(table))
	}
	for _, e := range all {
		want, known := table[e.name]
		if !known {
			t.Fatalf("event %q is not in the table", e.name)
		}
		for i, phase := range phases {
			before := recordIn(phase)
			after, err := e.do(before)
			if got := outcome(after, err); got != want[i] {
				t.Errorf("%s, %s: got %s, want %s", phase, e.name, got, want[i])
			}
			if err != nil && !cmp.Equal(after, before) {
				t.Errorf("%s, %s: refused, but the record changed: %s", phase, e.name, cmp.Diff(before, after))
			}
			if diff := cmp.Diff(recordIn(phase), before); diff != "" {
				t.Errorf("%s, %s changed its receiver: %s", phase, e.name, diff)
			}
		}
	}
}

// TestTransitionsStayReadable: whatever a transition makes can be decoded.
func TestTransitionsStayReadable(t *testing.T) {
	t.Parallel()
	for _, phase := range []job.Phase{job.Planned, job.Running, job.Done, job.Failed} {
		for _, e := range events() {
			after, err := e.do(recordIn(phase))
			if err != nil {
				continue
			}
			if got := decodeAgain(t, after); !cmp.Equal(got, after) {
				t.Errorf("%s, %s: reads back differently: %s", phase, e.name, cmp.Diff(after, got))
			}
		}
	}
}

// TestRunningWithoutClaim: a damaged record must not panic whoever claims it.
func TestRunningWithoutClaim(t *testing.T) {
	t.Parallel()
	r := recordIn(job.Running)
	r.Claim = nil
	if got, err := r.Claimed(own()); err != nil || got.Claim == nil {
		t.Errorf("claim over no claim: got %+v, %v, want it claimed", got, err)
	}
	if _, err := r.Committed("own", 1, "key", false, at); !errors.Is(err, job.ErrFenced) {
		t.Errorf("commit without a claim: got %v, want ErrFenced", err)
	}
}

// TestReplanForgetsTheEnd: nothing of the former end may show in the replay.
func TestReplanForgetsTheEnd(t *testing.T) {
	t.Parallel()
	for _, phase := range []job.Phase{job.Done, job.Failed} {
		got, err := recordIn(phase).Replanned(2, "t2")
		want := job.Plan("r1", 7, "t2")
		want.Replay = 2
		want.Deliveries = 3
		want.Requests = 40
		if phase == job.Done { // it stands until the replay has bettered it
			want.Former = "r1.7.own"
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", phase, err, diff)
		}
	}
}

// TestDegradedStands: a replay of a degraded job that fails leaves what there
// was; one that succeeds replaces it, and so does a second replay.
func TestDegradedStands(t *testing.T) {
	t.Parallel()
	replayed := must.Get(recordIn(job.Done).Replanned(2, "t2"))(t)
	c := own()
	c.Replay, c.Sequence = 2, 20
	running := must.Get(replayed.Claimed(c))(t)
	f := job.Failure{Class: job.Transient, Error: "502", At: at}
	failed, err := running.Buried("own", 1, "r1.7.issues", f)
	if err != nil || failed.Stands() != "r1.7.own" {
		t.Errorf("after a failed replay %q counts (%v), want the degraded evaluation", failed.Stands(), err)
	}
	done, err := running.Committed("own", 1, "r1.7.better", false, at)
	if err != nil || done.Stands() != "r1.7.better" {
		t.Errorf("after a replay %q counts (%v), want its own evaluation", done.Stands(), err)
	}
	again, err := failed.Replanned(3, "t3")
	if err != nil || again.Former != "r1.7.own" {
		t.Errorf("a second replay betters %q (%v), want the degraded evaluation", again.Former, err)
	}
}

// TestReopened: nothing of the end that is damaged stands any more; a degraded
// evaluation does that was not what stood.
func TestReopened(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		phase                               job.Phase
		evaluation, former, stood, formerly string
	}{
		{job.Done, "r1.7.own", "", "r1.7.own", ""},
		{job.Done, "r1.7.own", "r1.7.former", "r1.7.own", "r1.7.former"},
		{job.Failed, "r1.7.issues", "", "r1.7.issues", ""},
		{job.Failed, "r1.7.issues", "r1.7.former", "r1.7.former", ""},
	} {
		r := recordIn(c.phase)
		r.Evaluation, r.Former = c.evaluation, c.former
		got, err := r.Reopened()
		want := job.Plan("r1", 7, "trace")
		want.Replay = 1
		want.Deliveries = 3
		want.Requests = 40
		want.Former = c.formerly
		if diff := cmp.Diff(want, got); err != nil || diff != "" || r.Stands() != c.stood {
			t.Errorf("%+v: stood on %q; %v (-want +got):\n%s", c, r.Stands(), err, diff)
		}
		dead := r.DeclaredDamaged(job.Failure{Class: job.Damaged})
		if dead.Stands() != "" || dead.Retries() != r.Failures {
			t.Errorf("%+v: dead as damaged, %q stands, %d retries; want nothing, and as many as there were", c, dead.Stands(), dead.Retries())
		}
	}
}

func TestFinalAttempt(t *testing.T) {
	t.Parallel()
	for failures, want := range []bool{false, false, false, true, true} {
		if got := (job.Record{Failures: failures}).FinalAttempt(); got != want {
			t.Errorf("after %d failures: final is %t, want %t", failures, got, want)
		}
	}
}

// TestRetries: what ended the job was repeated by nobody.
func TestRetries(t *testing.T) {
	t.Parallel()
	claimed := func(r job.Record, delivery uint64) job.Record {
		c := own()
		c.Delivery, c.Replay = delivery, 0
		r = must.Get(r.Claimed(c))(t)
		return r
	}
	f := job.Failure{Class: job.Transient, Error: "502", At: at}
	r := job.Plan("r1", 7, "t")
	for n := range 3 {
		running := claimed(r, uint64(n+1))
		buried, err := running.Buried("own", 0, "", f)
		if got := buried.Retries(); err != nil || got != n {
			t.Errorf("buried by failure %d: %d retries (%v), want %d", n+1, got, err, n)
		}
		done, err := running.Committed("own", 0, "e", false, at)
		if got := done.Retries(); err != nil || got != n {
			t.Errorf("done after %d failures: %d retries (%v), want as many", n, got, err)
		}
		exhausted, err := running.Exhausted(0, running.Claim.Sequence, job.Failure{Class: job.Poison, At: at})
		if got := exhausted.Retries(); err != nil || got != n {
			t.Errorf("deliveries used up after %d failures: %d retries (%v), want as many", n, got, err)
		}
		overdue, err := running.GivenUp(0, job.Failure{Class: job.Overdue, At: at})
		if got := overdue.Retries(); err != nil || got != n {
			t.Errorf("overdue after %d failures: %d retries (%v), want as many", n, got, err)
		}
		if r, err = running.FailedAttempt("own", job.Spent{}, f); err != nil || r.Retries() != n+1 {
			t.Errorf("to run again after %d failures: %d retries (%v), want as many", n+1, r.Retries(), err)
		}
	}
}

// TestALapsedJobIsAnybodys: a fence by message numbers would shut everybody out
// once the stream was set back or made anew. Whoever let the claim lapse and
// lives after all has no say any more.
func TestALapsedJobIsAnybodys(t *testing.T) {
	t.Parallel()
	lapsed := must.Get(recordIn(job.Running).Lapsed("own", 5, at))(t)
	lower := job.Claim{ID: "lower", Worker: "w2", Since: at, Sequence: 1, Delivery: 1, Replay: 1}
	running, err := lapsed.Claimed(lower)
	if err != nil || running.Claim.ID != "lower" || running.Unreported != 1 || running.Lapses != 1 {
		t.Errorf("claimed by a lower message: %+v, %v; want it claimed, with one attempt that ended without a word", running, err)
	}
	if _, err := running.Committed("own", 1, "key", false, at); !errors.Is(err, job.ErrFenced) {
		t.Errorf("the former worker commits: got %v, want ErrFenced", err)
	}
	if _, err := lapsed.Beaten("own", job.Sign{}); !errors.Is(err, job.ErrFenced) {
		t.Errorf("the former worker's sign of life: got %v, want ErrFenced", err)
	}
}

// TestLapsesCountForOneReplay: what healed a job must not be dead of its past.
func TestLapsesCountForOneReplay(t *testing.T) {
	t.Parallel()
	failed := recordIn(job.Failed)
	failed.Lapses = 20
	if got := must.Get(failed.Replanned(2, "t2"))(t); got.Lapses != 0 {
		t.Errorf("%d lapses in the next replay, want 0", got.Lapses)
	}
}
