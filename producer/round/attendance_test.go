package round //nolint:testpackage // what it decides from is the round's own

import (
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// attended is one sign of workers that a producer sees, at a time after noon.
type attended struct {
	at     time.Duration
	record *job.Record // the record's new state; nil for a look
	out    jobstream.HandOut
	own    int
	blind  time.Duration
	// none is the result of a look, and why is a part of its reason.
	none bool
	why  string
}

// A round counts as without workers when none has shown itself for longer than a live
// worker can stay silent, whichever way it shows itself. Workers of other rounds do not
// count.
func TestAttendance(t *testing.T) {
	t.Parallel()
	const s = time.Second
	idle, nobody := jobstream.HandOut{Idle: true}, jobstream.HandOut{}
	running := func(expected, beat int) *job.Record {
		return &job.Record{Phase: job.Running, Expected: expected, Claim: &job.Claim{Beat: beat}}
	}
	refused := &job.Record{Phase: job.Planned, Refused: "w1: another mirror than the round's"}
	for name, seen := range map[string][]attended{
		"nobody from the beginning": {{at: 6 * s}, {at: 7 * s, none: true}},
		"one that waits":            {{at: 1 * s, out: idle}, {at: 7 * s}, {at: 8 * s, none: true}, {at: 9 * s, out: idle}},
		"one that is busy": {
			{at: 1 * s, record: running(0, 0)}, {at: 6 * s, record: running(9, 1)}, {at: 11 * s, record: running(9, 2)}, {at: 17 * s},
			{at: 18 * s, none: true},
		},
		"one whose attempts fail": {{at: 5 * s, record: &job.Record{Phase: job.Planned, Failures: 1}}, {at: 11 * s}},
		"one that ends a job":     {{at: 5 * s, record: &job.Record{Phase: job.Done}}, {at: 11 * s}},
		"jobs that others end": {
			{at: 5 * s, record: &job.Record{Phase: job.Planned, Lapses: 1}}, {at: 6 * s, record: &job.Record{Phase: job.Failed}},
			{at: 7 * s, none: true},
		},
		"NATS away": {{at: 1 * s, out: idle}, {blind: 20 * s}, {at: 21 * s}, {at: 27 * s}, {at: 28 * s, none: true}},
		"of another mirror": {
			{at: 1 * s, out: idle}, {at: 2 * s, record: running(0, 0)}, {at: 2 * s, record: refused},
			{at: 2 * s, none: true, why: "w1: another mirror than the round's"},
			{at: 3 * s, out: idle, none: true, why: "w1: another mirror than the round's"}, // it was started again
			{at: 4 * s, record: running(0, 0)}, {at: 4 * s, none: true, why: "w1"},
			{at: 5 * s, record: running(12, 1)}, {at: 5 * s},
		},
		"all are busy with others' jobs": {
			{at: 7 * s, out: jobstream.HandOut{Out: 5}, own: 1, none: true, why: "4 jobs of other rounds are out"},
			{at: 7 * s, out: jobstream.HandOut{Out: 2}, own: 1, none: true, why: "1 job of other rounds is out"},
		},
		"only our own are out": {{at: 7 * s, out: jobstream.HandOut{Out: 2}, own: 2, none: true}},
		"a consumer that is paused": {
			{at: 7 * s, out: jobstream.HandOut{Withheld: "consumer workers is paused"}, none: true, why: "paused"},
		},
		"a look in time": {{at: 6 * s, out: nobody}, {at: 6 * s, out: idle}, {at: 12 * s}},
	} {
		a := newAttendance(30*s, noon)
		for i, one := range seen {
			switch {
			case one.blind > 0:
				a.blind(one.blind)
			case one.record != nil:
				a.note(*one.record, noon.Add(one.at))
			default:
				got := a.look(one.out, one.own, noon.Add(one.at))
				if got.None != one.none || !strings.Contains(got.Why, one.why) || one.why == "" && got.Why != "" {
					t.Errorf("%s, %d: %+v, want none: %v, why: %q", name, i, got, one.none, one.why)
				}
			}
		}
	}
}

// At the usual lease, this is told within ten seconds of a worker's last sign.
func TestAttendanceIsToldInTenSeconds(t *testing.T) {
	t.Parallel()
	if told := newAttendance(jobstream.DefaultAckWait, noon).quiet + lookAgain + time.Second; told >= 10*time.Second {
		t.Errorf("told after %s", told)
	}
}
