package round_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
)

func (b *bundle) stream(t *testing.T, name string) jetstream.Stream {
	t.Helper()
	return must.Get(b.js.Stream(t.Context(), name))(t)
}

func (b *bundle) purgeStream(t *testing.T, name string) {
	t.Helper()
	must.Do(t, b.stream(t, name).Purge(t.Context()))
}

// evaluation is the key of a done miner's evaluation.
func (b *bundle) evaluation(t *testing.T, m job.Manifest, uid int) string {
	t.Helper()
	record, _, err := b.bus.Records.Load(t.Context(), m.Round, uid)
	must.Do(t, err)
	if record.Stands() == "" {
		t.Fatalf("miner %d has no evaluation: %+v", uid, record)
	}
	return record.Stands()
}

// damages are what a disk or a person can do to a round. Each has its repair in
// mid-round; "" if it needs none.
func damages() map[string]damaging {
	evaluation := func(t *testing.T, b *bundle, m job.Manifest) string { t.Helper(); return b.evaluation(t, m, 2) }
	record := key(func(m job.Manifest) string { return job.RecordKey(m.Round, 2) })
	of := func(name func(string) string) naming {
		return key(func(m job.Manifest) string { return name(m.Round) })
	}
	outcome := key(func(m job.Manifest) string { return job.OutcomeKey(m.Round, 1) })
	const (
		records     = job.BucketRecords
		evaluations = job.BucketEvaluation
		rounds      = job.BucketRounds
	)
	return map[string]damaging{
		"a record gone":              {gone(records, record), "put back"},
		"a record unreadable":        {unreadable(records, record), "record that cannot be read: replaced"},
		"a record set back":          {setBack, "put back"},
		"all records gone":           {empty("KV_" + records), "put back"},
		"an evaluation gone":         {gone(evaluations, evaluation), "job opened again"},
		"one unreadable":             {unreadable(evaluations, evaluation), "job opened again"},
		"another miner's evaluation": {swapped, "job opened again"},
		"another claim's evaluation": {claimedElsewhere, "job opened again"},
		"all evaluations gone":       {empty("KV_" + evaluations), "job opened again"},
		"record and evaluation gone": {both(gone(evaluations, evaluation), gone(records, record)), "published"},
		"the manifest gone":          {gone(rounds, of(job.ManifestKey)), manifestBack},
		"the manifest unreadable":    {unreadable(rounds, of(job.ManifestKey)), manifestBack},
		"the snapshot gone":          {gone(rounds, of(job.SnapshotKey)), "began with gone or unreadable: put back"},
		"the snapshot unreadable":    {unreadable(rounds, of(job.SnapshotKey)), "began with gone or unreadable: put back"},
		"unreadable maintainers":     {unreadable(rounds, of(job.MaintainersKey)), "maintainers unreadable: asked for again"},
		"an unreadable outcome":      {unreadable(rounds, outcome), ""},
		"an unreadable holder":       {unreadable(rounds, of(job.HolderKey)), ""},
		"no holder":                  {gone(rounds, of(job.HolderKey)), ""},
		"all of the rounds gone":     {empty("KV_" + rounds), manifestBack},
		"all messages gone":          {empty(job.StreamJobs), ""},
		"records and rounds gone":    {empty("KV_"+rounds, "KV_"+records), manifestBack},
		"everything gone":            {empty(job.StreamJobs, job.StreamDead, "KV_"+rounds, "KV_"+records, "KV_"+evaluations), manifestBack},
		"keys of rubbish":            {litter, ""},
	}
}

const manifestBack = "manifest gone or unreadable: put back"

// naming returns the name of a key of a round, and doing does something to that key.
type (
	naming func(*testing.T, *bundle, job.Manifest) string
	doing  func(*testing.T, *bundle, job.Manifest)
)

func key(name func(job.Manifest) string) naming {
	return func(_ *testing.T, _ *bundle, m job.Manifest) string { return name(m) }
}

func gone(bucket string, name naming) doing {
	return func(t *testing.T, b *bundle, m job.Manifest) { t.Helper(); b.purge(t, bucket, name(t, b, m)) }
}

func unreadable(bucket string, name naming) doing {
	return func(t *testing.T, b *bundle, m job.Manifest) { t.Helper(); b.spoil(t, bucket, name(t, b, m)) }
}

func both(first, second doing) doing {
	return func(t *testing.T, b *bundle, m job.Manifest) { t.Helper(); first(t, b, m); second(t, b, m) }
}

// empty purges streams whole.
func empty(streams ...string) doing {
	return func(t *testing.T, b *bundle, _ job.Manifest) {
		t.Helper()
		for _, name := range streams {
			b.purgeStream(t, name)
		}
	}
}

// swapped puts miner 1's evaluation in the place of miner 2's.
func swapped(t *testing.T, b *bundle, m job.Manifest) {
	t.Helper()
	other := must.Get(b.bus.Bucket(job.BucketEvaluation).Get(t.Context(), b.evaluation(t, m, 1)))(t)
	must.Get(b.bus.Bucket(job.BucketEvaluation).Put(t.Context(), b.evaluation(t, m, 2), other.Value()))(t)
}

// claimedElsewhere replaces miner 2's evaluation by one of another claim than the one that
// committed. It once counted as the committed one.
func claimedElsewhere(t *testing.T, b *bundle, m job.Manifest) {
	t.Helper()
	forged := evaluated(job.Job{Round: m.Round, UID: 2, Hotkey: "h2", GitHubID: "102"}, 999)
	forged.Claim = "another"
	must.Do(t, b.bus.Evaluations.Put(t.Context(), b.evaluation(t, m, 2), forged))
}

// litter writes keys that belong to nothing.
func litter(t *testing.T, b *bundle, m job.Manifest) {
	t.Helper()
	for key, bucket := range map[string]string{
		m.Round + ".abc": job.BucketRecords, m.Round + ".007": job.BucketRecords, m.Round + ".x.y": job.BucketEvaluation,
		m.Round + ".outcome.foo": job.BucketRounds, m.Round + ".outcome.01": job.BucketRounds, m.Round + ".replay.x": job.BucketRounds,
		"x.y.z": job.BucketRounds,
	} {
		b.spoil(t, bucket, key)
	}
}

// damaging is one damage that is done to a round.
type damaging struct {
	do   doing
	want string
}

// setBack gives miner 2's record an earlier state, as in a store that has lost its last
// seconds.
func setBack(t *testing.T, b *bundle, m job.Manifest) {
	t.Helper()
	_, revision, err := b.bus.Records.Load(t.Context(), m.Round, 2)
	must.Do(t, err)
	must.Get(b.bus.Records.Update(t.Context(), job.Plan(m.Round, 2, ""), revision))(t)
}
