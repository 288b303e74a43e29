package jobstream_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

func (b *bundle) plan(uids ...int) {
	b.t.Helper()
	for _, uid := range uids {
		if created, err := b.bus.Records.Plan(b.ctx, job.Plan("r1", uid, "trace")); err != nil || !created {
			b.t.Fatalf("planning %d: created %t, %v", uid, created, err)
		}
	}
}

// change claims the record of uid again, as one example of a change.
func (b *bundle) change(uid int) job.Record {
	b.t.Helper()
	r, revision, err := b.bus.Records.Load(b.ctx, "r1", uid)
	must.Do(b.t, err)
	r.Requests++
	must.Get(b.bus.Records.Update(b.ctx, r, revision))(b.t)
	return r
}

func TestPlanOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.plan(1)
	changed := b.change(1)
	created, err := b.bus.Records.Plan(b.ctx, job.Plan("r1", 1, "another"))
	if err != nil || created {
		t.Errorf("planned again: created %t, %v; want it left as it is", created, err)
	}
	got, _, err := b.bus.Records.Load(b.ctx, "r1", 1)
	if diff := cmp.Diff(changed, got); err != nil || diff != "" {
		t.Errorf("planning again changed the record: %v %s", err, diff)
	}
	if _, _, err := b.bus.Records.Load(b.ctx, "r1", 2); !errors.Is(err, jobstream.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// TestSecondWriterConflicts: two writers have read the same revision. One writes, and the
// other gets an error.
func TestSecondWriterConflicts(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.plan(1)
	r, revision, err := b.bus.Records.Load(b.ctx, "r1", 1)
	must.Do(t, err)
	next, err := b.bus.Records.Update(b.ctx, r, revision)
	if err != nil || next <= revision {
		t.Fatalf("first write: revision %d after %d, %v", next, revision, err)
	}
	if _, err := b.bus.Records.Update(b.ctx, r, revision); !errors.Is(err, jobstream.ErrConflict) {
		t.Errorf("second write: got %v, want ErrConflict", err)
	}
	if _, err := b.bus.Records.Update(b.ctx, r, next); err != nil {
		t.Errorf("at the new revision: %v", err)
	}
}

// TestNoUpdateIsLost with many writers, each of which retries after a conflict.
func TestNoUpdateIsLost(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.plan(1)
	var writing sync.WaitGroup
	const writers, each = 4, 10
	for range writers {
		writing.Go(func() {
			for done := 0; done < each; {
				r, revision, err := b.bus.Records.Load(b.ctx, "r1", 1)
				if err != nil {
					t.Error(err)
					return
				}
				r.Requests++
				_, err = b.bus.Records.Update(b.ctx, r, revision)
				switch {
				case err == nil:
					done++
				case !errors.Is(err, jobstream.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
	if r, _, err := b.bus.Records.Load(b.ctx, "r1", 1); err != nil || r.Requests != writers*each {
		t.Errorf("%d updates counted, %v, want %d", r.Requests, err, writers*each)
	}
}

func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	for key, value := range map[string]string{
		"r1.1": "{", "r1.2": `{"version":1,"round":"r1","uid":3,"phase":"planned"}`, "r1.3": `{"version":9}`,
	} {
		must.Get(b.bus.Bucket(job.BucketRecords).PutString(b.ctx, key, value))(t)
		_, uid, err := job.ParseRecordKey(key)
		must.Do(t, err)
		_, _, err = b.bus.Records.Load(b.ctx, "r1", uid)
		var damaged *jobstream.ValueError
		if !errors.As(err, &damaged) || damaged.Bucket != job.BucketRecords || damaged.Key != key {
			t.Errorf("%s: got %v, want a ValueError that names it", value, err)
		}
	}
	// One unreadable record once failed the list, and with it the reconciler, the audit,
	// the list of failed miners and every replay.
	must.Get(b.bus.Bucket(job.BucketRecords).PutString(b.ctx, "r1.abc", "{"))(t)
	_, err := b.bus.Records.Plan(b.ctx, job.Plan("r1", 4, ""))
	must.Do(t, err)
	got, damage, err := b.bus.Records.ListAll(b.ctx, "r1")
	must.Do(t, err)
	if len(got) != 1 || got[0].UID != 4 {
		t.Errorf("got %v, want the one that can be read", got)
	}
	uids := map[string]int{}
	for _, d := range damage {
		uids[d.Key] = d.UID
		if d.UID < 0 {
			continue
		}
		if _, err := b.bus.Records.Update(b.ctx, job.Plan("r1", d.UID, ""), d.Revision); err != nil || d.Error == "" {
			t.Errorf("replacing %+v: %v", d, err)
		}
	}
	if diff := cmp.Diff(map[string]int{"r1.1": 1, "r1.2": 2, "r1.3": 3, "r1.abc": -1}, uids); diff != "" {
		t.Errorf("damaged keys (-want +got):\n%s", diff)
	}
	if got, err := b.bus.Records.List(b.ctx, "r1"); err != nil || len(got) != 4 {
		t.Errorf("%d records after they were replaced, %v, want 4", len(got), err)
	}
}

func TestRecordsOfARound(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	if got, err := b.bus.Records.List(b.ctx, "r1"); err != nil || len(got) != 0 {
		t.Errorf("empty round: got %v, %v", got, err)
	}
	b.plan(1, 2, 3)
	must.Get(b.bus.Records.Plan(b.ctx, job.Plan("r10", 1, "")))(t)
	got, err := b.bus.Records.List(b.ctx, "r1")
	if err != nil || len(got) != 3 {
		t.Errorf("got %d records, %v, want the round's 3 alone", len(got), err)
	}
}

// receive reads n records from a watch, by uid. A later record replaces an earlier one.
func (b *bundle) receive(records <-chan job.Record, until func(map[int]job.Record) bool) map[int]job.Record {
	b.t.Helper()
	got := map[int]job.Record{}
	for !until(got) {
		select {
		case r, open := <-records:
			if !open {
				b.t.Fatal("the watch ended")
			}
			got[r.UID] = r
		case <-b.ctx.Done():
			b.t.Fatalf("the watch fell silent after %v; logged:\n%s", got, b.log)
		}
	}
	return got
}

// TestWatch: existing records come first, then each change, of this round only. The
// channel closes with its context.
func TestWatch(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.plan(1, 2)
	b.change(1)
	ctx, cancel := context.WithCancel(b.ctx)
	records := must.Get(b.bus.Records.Watch(ctx, "r1"))(t)
	got := b.receive(records, func(m map[int]job.Record) bool { return len(m) == 2 })
	if got[1].Requests != 1 {
		t.Errorf("record 1 came with %d requests, want its last state", got[1].Requests)
	}
	must.Get(b.bus.Records.Plan(b.ctx, job.Plan("r2", 9, "")))(t)
	b.plan(3)
	b.change(2)
	got = b.receive(records, func(m map[int]job.Record) bool { return len(m) == 2 })
	if got[2].Requests != 1 || got[3].Phase != job.Planned {
		t.Errorf("changes came as %v", got)
	}
	cancel()
	for range records {
	}
}

// TestWatchOutlivesTheServer: a watch loses no change when the server restarts, and an
// unreadable record does not end it.
func TestWatchOutlivesTheServer(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.plan(1)
	records := must.Get(b.bus.Records.Watch(b.ctx, "r1"))(t)
	b.receive(records, func(m map[int]job.Record) bool { return len(m) == 1 })
	must.Get(b.bus.Bucket(job.BucketRecords).PutString(b.ctx, "r1.5", "{"))(t)
	b.log.Await(b.ctx, t, "value left out of the watch")
	b.servers.Stop()
	b.servers.Again()
	b.plan(2)
	b.change(1)
	b.receive(records, func(m map[int]job.Record) bool { return len(m) == 2 && m[1].Requests == 1 })
}

// A follower reads each record that has changed since it read last, once, in the order of the
// changes. Those of other rounds and those that cannot be read are left out, and a stream that
// was made anew is read from its beginning.
func TestFollowingRecordsBySequence(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	at := uint64(0)
	follow := func(what string, want ...int) {
		t.Helper()
		changed, of, err := b.bus.Records.After(b.ctx, "r1", at)
		must.Do(t, err)
		var uids []int
		for _, r := range changed {
			uids = append(uids, r.UID)
		}
		if !cmp.Equal(uids, want) {
			t.Errorf("%s: records of %v, want %v", what, uids, want)
		}
		at = of
	}
	follow("before any")
	b.plan(1, 2, 3)
	b.change(2)
	b.change(1)
	follow("the first look", 3, 2, 1)
	follow("nothing new")
	must.Get(b.bus.Records.Plan(b.ctx, job.Plan("r2", 1, "trace")))(t)
	follow("another round's")
	b.change(3)
	must.Get(b.bus.Bucket(job.BucketRecords).PutString(b.ctx, "r1.4", "{"))(t)
	follow("one is damaged", 3)
	for uid := 1; uid <= 3; uid++ {
		b.change(uid)
	}
	at += 100 // as of a stream that has been replaced by an older one
	follow("the stream is another", 1, 2, 3)
}
