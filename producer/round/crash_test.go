package round_test

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/crash/crashtest"
	"mirrorfleet/shared/must"
)

// crashCase is one point at which a producer is killed.
type crashCase struct {
	// name is the name of the constant in the sources.
	name  string
	point crash.Point
	// in are the scenarios whose producer passes the point.
	in []scenario
	// as is the scenario whose undisturbed result is wanted, if it is another one. A job
	// whose burial was only prepared is run again, because nothing is known of the burial
	// any more.
	as scenario
	// twice says that the point is passed at least twice. Then a second producer is
	// killed at the second pass, when a part of the work is done.
	twice bool
}

// crashCases names every point of the producer with the scenarios that pass it.
var crashCases = []crashCase{
	{name: "ManifestWritten", point: crash.ManifestWritten, in: []scenario{fresh}},
	{name: "RoundHeld", point: crash.RoundHeld, in: []scenario{fresh, replayed, usedUp, cancelled}},
	{name: "SnapshotStored", point: crash.SnapshotStored, in: []scenario{fresh}},
	{name: "RecordPlanned", point: crash.RecordPlanned, in: []scenario{fresh, replayed}, twice: true},
	{name: "JobPublished", point: crash.JobPublished, in: []scenario{fresh, replayed}, twice: true},
	{name: "MaintainersKept", point: crash.MaintainersKept, in: []scenario{fresh, replayed, cancelled}},
	{name: "OneStoredChanged", point: crash.OneStoredChanged, in: []scenario{fresh, replayed}, twice: true},
	{name: "StoredChanged", point: crash.StoredChanged, in: []scenario{fresh, replayed}},
	{name: "OutcomeWritten", point: crash.OutcomeWritten, in: []scenario{fresh, replayed, cancelled, cutShort}},
	{name: "ConclusionNoted", point: crash.ConclusionNoted, in: []scenario{fresh, replayed}},
	{name: "RoundReleased", point: crash.RoundReleased, in: []scenario{fresh, replayed}},
	{name: "ReplayPlanned", point: crash.ReplayPlanned, in: []scenario{replayed}},
	{name: "CancelOrdered", point: crash.CancelOrdered, in: []scenario{cancelled, cutShort}},
	{name: "RecordReplanned", point: crash.RecordReplanned, in: []scenario{replayed}, twice: true},
	{name: "Mended", point: crash.Mended, in: []scenario{lostMessage, lostRecord, lostBoth}},
	{name: "ManifestRestored", point: crash.ManifestRestored, in: []scenario{noManifest}},
	{name: "SnapshotRestored", point: crash.SnapshotRestored, in: []scenario{noSnapshot}},
	{name: "RecordRestored", point: crash.RecordRestored, in: []scenario{badRecord}},
	{name: "RecordReopened", point: crash.RecordReopened, in: []scenario{noEvidence}},
	{name: "CopyQueued", point: crash.CopyQueued, in: []scenario{passedOver, silent}},
	{name: "TakenBack", point: crash.TakenBack, in: []scenario{silent}},
	{name: "Freed", point: crash.Freed, in: []scenario{passedOver, unadvised, silent}},
	{name: "BurialPlanned", point: crash.BurialPlanned, in: []scenario{unheard}, as: fresh},
	{name: "BurialPublished", point: crash.BurialPublished, in: []scenario{usedUp, unadvised, cancelled, cutShort}},
	{name: "BurialRecorded", point: crash.BurialRecorded, in: []scenario{usedUp, unadvised, cancelled, cutShort}},
	{name: "ExhaustedRemoved", point: crash.ExhaustedRemoved, in: []scenario{usedUp}},
}

// TestEveryCrashPointHasACase reads the list of points from the sources.
func TestEveryCrashPointHasACase(t *testing.T) {
	t.Parallel()
	marks, err := crashtest.Marks(filepath.Join("..", "..", "producer"), filepath.Join("..", "..", "shared", "jobstream"))
	must.Do(t, err)
	names := []string{
		"TurnTaken",     // of the schedule, not of a round: TestServe kills a producer there
		"SteerWritten",  // of an operator: TestARoundInTheHand and TestTheScheduleInTheHand kill orders there
		"TurnOrdered",   // of the schedule: TestTheScheduleInTheHand kills a producer there
		"PartForgotten", // of an old round: TestARoundForgottenInPartsIsForgotten
	}
	for _, c := range crashCases {
		names = append(names, c.name)
	}
	slices.Sort(names)
	if diff := gocmp.Diff(marks, names); diff != "" {
		t.Errorf("points marked in the sources (-) and points with a case (+):\n%s", diff)
	}
}

// TestCrash kills a producer process at every point of every scenario, and has another
// one continue. It wants the scenario's undisturbed result.
func TestCrash(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	ended := map[string]ending{}
	runs := map[string]func(t *testing.T){}
	add := func(name string, s scenario, env ...string) {
		runs[name] = func(t *testing.T) {
			t.Helper()
			e := s.run(t, env...)
			mu.Lock()
			defer mu.Unlock()
			ended[name] = e
		}
	}
	for _, c := range crashCases {
		for _, s := range c.in {
			add(c.calm(s), scenario(c.calm(s)))
			for n := 1; n <= c.passes(); n++ {
				add(c.run(s, n), s, crash.Env+"="+crash.Setting(c.point, n))
			}
		}
	}
	crashtest.SideBySide(t, 8, runs)
	if t.Failed() {
		return // a round is missing
	}
	for _, c := range crashCases {
		for _, s := range c.in {
			for n := 1; n <= c.passes(); n++ {
				c.check(t, c.run(s, n), ended[c.calm(s)], ended[c.run(s, n)])
			}
		}
	}
}

// passes are the passes at which a producer is killed.
func (c *crashCase) passes() int {
	if c.twice {
		return 2
	}
	return 1
}

// calm names the undisturbed run that a scenario is compared with.
func (c *crashCase) calm(s scenario) string { return string(cmp.Or(c.as, s)) }

// run names a disturbed run.
func (c *crashCase) run(s scenario, nth int) string { return fmt.Sprintf("%s %d %s", c.point, nth, s) }

// check compares a run with the undisturbed one.
func (c *crashCase) check(t *testing.T, name string, want, got ending) {
	t.Helper()
	if !got.Killed || want.Killed {
		t.Errorf("%s: the producer was killed: %v, undisturbed %v; want true and false", name, got.Killed, want.Killed)
	}
	want.Killed = got.Killed
	if c.as == "" && got.LookUps != int64(got.Counted) {
		t.Errorf("%s: the outcome has %d requests for maintainers, want the %d that were made", name, got.Counted, got.LookUps)
	}
	if c.as != "" { // there is another round beside it
		want.LookUps, want.Messages = got.LookUps, got.Messages
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s: undisturbed (-), killed (+):\n%s", name, diff)
	}
}
