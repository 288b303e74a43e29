package jobstream_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
)

// spoil overwrites a value of the bucket of rounds with rubbish, and returns its
// revision.
func (b *bundle) spoil(key, value string) uint64 {
	b.t.Helper()
	return must.Get(b.bus.Bucket(job.BucketRounds).PutString(b.ctx, key, value))(b.t)
}

// One unreadable dead letter once failed the list of all, and with it every conclusion. A
// lost letter could not be stored again while the stream remembered its id.
func TestDeadLettersPastDamage(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	letter := job.DeadLetter{Version: job.Version, Round: "r1", UID: 1, Class: job.Permanent, Error: "404", At: asOf}
	must.Do(t, b.bus.Rounds.CreateManifest(b.ctx, job.Manifest{Round: "r1"}))
	must.Do(t, b.bus.Letters.Publish(b.ctx, letter))
	for subject, value := range map[string]string{
		job.DeadSubject("r1", 1): "{", job.DeadSubject("r1", 2): `{"version":1,"round":"r1","uid":3}`, job.DeadSubject("r1", 3): `{"version":9}`,
	} {
		msg := nats.NewMsg(subject)
		msg.Data = []byte(value)
		must.Get(b.js.PublishMsg(b.ctx, msg))(t)
	}
	got, err := b.bus.Letters.List(b.ctx, "r1")
	if diff := cmp.Diff([]job.DeadLetter{letter}, got); err != nil || diff != "" {
		t.Errorf("the letters that can be read: %v (-want +got):\n%s", err, diff)
	}
	var uids []int
	for _, d := range must.Get(b.bus.Inventory(b.ctx, "r1"))(t).Damage {
		uids = append(uids, d.UID)
	}
	slices.Sort(uids)
	if !slices.Equal(uids, []int{1, 2, 3}) {
		t.Errorf("letters that cannot be read: of miners %v, want 1, 2, 3", uids)
	}

	must.Do(t, must.Get(b.js.Stream(b.ctx, job.StreamDead))(t).Purge(b.ctx))
	for range 2 { // the second time under another id again
		must.Do(t, b.bus.Letters.Republish(b.ctx, letter))
	}
	if got, err := b.bus.Letters.List(b.ctx, "r1"); err != nil || len(got) != 2 {
		t.Errorf("published again twice: %d letters, %v", len(got), err)
	}
}

// A worker may write any key of the records. A key that the client library rejects once
// failed the list of all records, and with it the round.
func TestListsGoPastKeysThatAreNone(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.plan(1)
	prefix := "$KV." + job.BucketRecords + "."
	for _, key := range []string{"r1.*", "r1.ä", "r1.x!"} { // to ask for the first one is to ask for the last
		must.Get(b.js.Publish(b.ctx, prefix+key, []byte("{}")))(t)
	}
	records, damage, err := b.bus.Records.ListAll(b.ctx, "r1")
	if err != nil || len(records) != 1 {
		t.Fatalf("%d records and %v, want the one that is there", len(records), err)
	}
	var keys []string
	for _, d := range damage {
		if keys = append(keys, d.Key); d.UID != -1 || d.Revision == 0 {
			t.Errorf("damage is %+v, want it of no job and with its revision", d)
		}
	}
	if diff := cmp.Diff([]string{"r1.x!", "r1.ä"}, keys); diff != "" {
		t.Errorf("keys of no job (-want +got):\n%s", diff)
	}
}

// An unreadable value is told apart from a missing one, and comes with the revision that
// a repair replaces. The versions of two of these values were once not checked.
func TestDamagedValuesCanBeReplaced(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	for _, value := range []string{"{", `{"version":9}`, `{"version":0}`} {
		revision := b.spoil(job.HolderKey("r1"), value)
		_, got, err := b.bus.Holders.Load(b.ctx, "r1")
		if !jobstream.Damaged(err) || got != revision {
			t.Errorf("holder %s: revision %d, %v; want %d and a damaged value", value, got, err, revision)
		}
		if h, _, err := b.bus.Holders.LastBeat(b.ctx, "r1"); err != nil || h.Name != "" {
			t.Errorf("holder %s: last heard of %+v, %v; want nobody", value, h, err)
		}
		must.Get(b.bus.Holders.Set(b.ctx, "r1", job.Holder{Name: "p"}, got))(t)

		revision = b.spoil(job.TurnKey, value)
		_, got, err = b.bus.Schedule.Turn(b.ctx)
		if !jobstream.Damaged(err) || got != revision {
			t.Errorf("turn %s: revision %d, %v; want %d and a damaged value", value, got, err, revision)
		}
		must.Do(t, b.bus.Schedule.SetTurn(b.ctx, job.Turn{Round: "r1", Due: asOf}, got))

		b.spoil(job.LastKey, value)
		if _, _, err := b.bus.Schedule.LastConclusion(b.ctx); !jobstream.Damaged(err) {
			t.Errorf("last conclusion %s: %v, want a damaged value", value, err)
		}
		must.Do(t, b.bus.Schedule.RecordConclusion(b.ctx, asOf, true))
		if last, _, err := b.bus.Schedule.LastConclusion(b.ctx); err != nil || !last.Complete.Equal(asOf) {
			t.Errorf("last conclusion after %s: %+v, %v; want it replaced", value, last, err)
		}

		b.spoil(job.MaintainersKey("r1"), value)
		if _, err := b.bus.Rounds.Maintainers(b.ctx, "r1"); !jobstream.Damaged(err) {
			t.Errorf("maintainers %s: %v, want a damaged value", value, err)
		}
		found := map[string][]scoring.Maintainer{"a/b": {}}
		if kept, err := b.bus.Rounds.AddMaintainers(b.ctx, "r1", jobstream.Maintainers{Found: found}); err != nil || len(kept.Found) != 1 {
			t.Errorf("maintainers after %s: %+v, %v; want them replaced", value, kept, err)
		}
	}
}

// A repair replaces no readable value.
func TestRestoreReplacesDamageAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	m := job.Manifest{Round: "r1", Mirror: "http://m"}
	snapshot := map[int]scoring.StoredEvaluation{1: {UID: 1, Hotkey: "h"}}
	restore := map[string]func() (bool, error){
		job.ManifestKey("r1"): func() (bool, error) { return b.bus.Rounds.RestoreManifest(b.ctx, m) },
		job.SnapshotKey("r1"): func() (bool, error) { return b.bus.Rounds.RestoreSnapshot(b.ctx, "r1", snapshot) },
		job.OutcomeKey("r1", 1): func() (bool, error) {
			return b.bus.Outcomes.Replace(b.ctx, "r1", 1, []byte(`{"version":1}`), func(data []byte) error {
				if string(data) != `{"version":1}` {
					return errors.New("another")
				}
				return nil
			})
		},
	}
	for key, put := range restore {
		for _, spoilt := range []bool{false, true} {
			if spoilt {
				b.spoil(key, "{")
			}
			for _, want := range []bool{true, false} {
				if did, err := put(); err != nil || did != want {
					t.Errorf("%s, overwritten with rubbish %v: put back %v, %v; want %v", key, spoilt, did, err, want)
				}
			}
		}
	}
	b.spoil(job.ManifestKey("r2"), string(must.Get(b.bus.Bucket(job.BucketRounds).Get(b.ctx, job.ManifestKey("r1")))(t).Value()))
	if _, err := b.bus.Rounds.Manifest(b.ctx, "r2"); !jobstream.Damaged(err) {
		t.Errorf("the manifest of another round: %v, want a damaged value", err)
	}
	if got, err := b.bus.Rounds.Manifest(b.ctx, "r1"); err != nil || got.Mirror != m.Mirror {
		t.Errorf("got %+v, %v; want what was put back", got, err)
	}
}

// The state before a conclusion is what neither it nor a later one has changed.
func TestStoredBefore(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	at := func(minutes int) time.Time { return asOf.Add(time.Duration(minutes) * time.Minute) }
	for uid, origin := range map[int]jobstream.Origin{
		1: {Round: "r1", PlannedAt: at(1), Revision: 1}, 2: {Round: "r2", PlannedAt: at(2), Revision: 1}, 3: {Round: "r3", PlannedAt: at(3), Revision: 1},
	} {
		change := scoring.StoredChange{UID: uid, Evaluation: &scoring.StoredEvaluation{UID: uid}}
		must.Do(t, b.bus.Miners.Change(b.ctx, origin, []scoring.StoredChange{change}))
	}
	must.Get(b.bus.Bucket(job.BucketMiners).PutString(b.ctx, "4", "{"))(t)
	got, changed, err := b.bus.Miners.EvaluationsBefore(b.ctx, jobstream.Origin{Round: "r2", PlannedAt: at(2)})
	if err != nil || len(got) != 1 || got[1].UID != 1 || changed != 2 {
		t.Errorf("got %v and %d changed, %v; want miner 1's, and two changed", got, changed, err)
	}
	for uid, damaged := range map[int]bool{1: false, 4: true, 5: false} {
		if damage, err := b.bus.Miners.Damage(b.ctx, uid); err != nil || (damage != nil) != damaged {
			t.Errorf("miner %d: %v, %v; want damage %v", uid, damage, err, damaged)
		}
	}
}

// Lost egresses once came back only with the next producer that started. Until then every
// egress was admitted.
func TestEgressesAreDeclaredAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	if did, err := b.bus.Egresses.Restore(b.ctx); err != nil || did {
		t.Errorf("nobody has declared any: declared again %v, %v", did, err)
	}
	must.Do(t, b.bus.Egresses.Set(b.ctx, job.Egresses{Names: []string{"a"}, By: "p"}, 0))
	for what, lose := range map[string]func(){
		"gone":       func() { jobstreamtest.Remove(t, b.js, job.BucketRounds, job.EgressesKey) },
		"unreadable": func() { b.spoil(job.EgressesKey, "{") },
	} {
		_, _, err := b.bus.Egresses.Load(b.ctx)
		must.Do(t, err)
		lose()
		if e, _, err := b.bus.Egresses.Load(b.ctx); err != nil || !errors.Is(e.Admit("b"), job.ErrUndeclared) {
			t.Errorf("%s: %v, %v; want what was declared to stay in force", what, e, err)
		}
		if did, err := b.bus.Egresses.Restore(b.ctx); err != nil || !did {
			t.Errorf("%s: declared again %v, %v", what, did, err)
		}
		if e, _, err := b.bus.Egresses.Stored(b.ctx); err != nil || !slices.Equal(e.Names, []string{"a"}) {
			t.Errorf("%s: declared are %v, %v; want them as they were", what, e, err)
		}
	}
}

// Rounds are found by any of their remains, and count as concluded by any revision.
func TestWhatIsLeftOfRounds(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	must.Do(t, b.bus.Rounds.CreateManifest(b.ctx, job.Manifest{Round: "r1"}))
	must.Get(b.bus.Records.Plan(b.ctx, job.Plan("r2", 1, "")))(t)
	must.Do(t, b.bus.Evaluations.Put(b.ctx, "r3.7.c", job.Evaluation{Round: "r3", UID: 7, Claim: "c"}))
	must.Do(t, b.bus.Queue.Publish(b.ctx, job.Job{Round: "r4", UID: 1, GitHubID: "1", AsOf: asOf}))
	must.Do(t, b.bus.Outcomes.Put(b.ctx, "r5", 2, []byte("{}")))
	b.spoil(job.TurnKey, "{")
	b.spoil("r6.outcome.x", "{")
	if got, err := b.bus.Rounds.Left(b.ctx); err != nil || !slices.Equal(got, []string{"r1", "r2", "r3", "r4", "r5", "r6"}) {
		t.Errorf("rounds of which anything is left: %v, %v; want r1 to r6", got, err)
	}
	if got, err := b.bus.Rounds.Concluded(b.ctx); err != nil || !slices.Equal(got, []string{"r5"}) {
		t.Errorf("concluded: %v, %v; want r5", got, err)
	}
	if _, err := b.bus.Inventory(b.ctx, "r9"); !errors.Is(err, jobstream.ErrNotFound) {
		t.Errorf("of a round of which nothing is held: %v, want ErrNotFound", err)
	}
	if held, err := b.bus.Inventory(b.ctx, "r2"); err != nil || held.Lost == "" || len(held.Records) != 1 {
		t.Errorf("of a round without manifest: %+v, %v; want its record, and why", held, err)
	}
}
