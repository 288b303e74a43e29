package jobstream_test

import (
	"errors"
	"slices"
	"testing"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

// TestDamageAdmitsNobody: an unreadable declaration once counted as none, and so admitted
// every egress. Now a process keeps the declaration that it knew, and without one gets an
// error. The log reports it once.
func TestDamageAdmitsNobody(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	put := func(value string) {
		must.Get(b.bus.Bucket(job.BucketRounds).Put(b.ctx, job.EgressesKey, []byte(value)))(t)
	}
	if e, _, err := b.bus.Egresses.Load(b.ctx); err != nil || e.Admit("any") != nil {
		t.Errorf("before anybody declared: %v, %v, want everybody admitted", e, err)
	}
	for _, value := range []string{"{", `{"version": 99, "names": ["x"]}`, `{"version": 1}`, ""} {
		put(value)
		if e, _, err := b.bus.Egresses.Load(b.ctx); !damaged(err) {
			t.Errorf("%q: %v, %v, want a damaged value", value, e, err)
		}
	}
	_, revision, _ := b.bus.Egresses.Stored(b.ctx)
	must.Do(t, b.bus.Egresses.Set(b.ctx, job.Egresses{Names: []string{"a"}, By: "p"}, revision))
	if e, _, err := b.bus.Egresses.Load(b.ctx); err != nil || !slices.Equal(e.Names, []string{"a"}) {
		t.Fatalf("%v, %v, want what was declared", e, err)
	}
	put("{")
	before := b.log.Count("cannot be read")
	for range 3 {
		e, at, err := b.bus.Egresses.Load(b.ctx)
		if err != nil || !errors.Is(e.Admit("b"), job.ErrUndeclared) || at <= revision {
			t.Errorf("%v at %d, %v, want the declaration before the damage, at the revision of that", e, at, err)
		}
	}
	if n := b.log.Count("cannot be read") - before; n != 1 {
		t.Errorf("it was logged %d times, want once: %s", n, b.log)
	}
}

func damaged(err error) bool { _, is := errors.AsType[*jobstream.ValueError](err); return is }
