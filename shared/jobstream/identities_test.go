package jobstream_test

import (
	"log/slog"
	"strings"
	"testing"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// Without the log line nobody could learn why a miner with a known account counts as
// unknown once GitHub does not answer. A round lists all identities again and again, so
// one damaged value must not fill the log.
func TestADamagedIdentityIsNamedOnce(t *testing.T) {
	t.Parallel()
	log := &telemetrytest.Log{}
	b := setup(t, jobstream.Config{Log: slog.New(slog.NewTextHandler(log, nil))})
	for uid := 1; uid <= 3; uid++ {
		must.Do(t, b.bus.Miners.PutIdentity(b.ctx, job.Identity{UID: uid}))
	}
	spoil := func(value string) {
		must.Get(b.bus.Bucket(job.BucketIdentities).PutString(b.ctx, "2", value))(t)
	}
	named := func() int {
		t.Helper()
		got, err := b.bus.Miners.Identities(b.ctx)
		if _, damaged := got[2]; err != nil || len(got) != 2 || damaged {
			t.Fatalf("got %v, %v; want the identities of 1 and 3", got, err)
		}
		return strings.Count(log.String(), "a stored identity cannot be read and counts as absent")
	}
	spoil("{")
	for range 3 {
		if n := named(); n != 1 {
			t.Fatalf("named %d times, want once\n%s", n, log.String())
		}
	}
	if !strings.Contains(log.String(), "uid=2") || !strings.Contains(log.String(), job.BucketIdentities) {
		t.Errorf("the log names neither the miner nor the bucket:\n%s", log.String())
	}
	spoil(`{"version":9}`) // another value, and another fault
	if n := named(); n != 2 {
		t.Errorf("named %d times after a second value was damaged, want twice", n)
	}
	must.Do(t, b.bus.Miners.PutIdentity(b.ctx, job.Identity{UID: 2}))
	if got, err := b.bus.Miners.Identities(b.ctx); err != nil || len(got) != 3 {
		t.Errorf("after a new answer: %v, %v; want all three", got, err)
	}
}
