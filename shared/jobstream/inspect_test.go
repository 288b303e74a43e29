package jobstream_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

func (b *bundle) inspect(cfg jobstream.Config) jobstream.Inspection {
	b.t.Helper()
	in := must.Get(jobstream.Inspect(b.ctx, b.nc, cfg))(b.t)
	return in
}

// TestInspectChangesNothing: on an empty server everything is missing, before and after.
// On a server with the declared streams nothing is wrong.
func TestInspectChangesNothing(t *testing.T) {
	t.Parallel()
	b := bare(t)
	for range 2 {
		in := b.inspect(jobstream.Config{Replicas: 1})
		if in.Version == "" || in.MaxPayload < 1<<20 || in.Consumer != nil || len(in.Streams) != len(jobstream.StreamNames()) {
			t.Errorf("an empty server is %+v", in)
		}
		for _, s := range in.Streams {
			if !s.Missing {
				t.Errorf("%+v, want it missing", s)
			}
		}
	}
	b.open(jobstream.Config{})
	in := b.inspect(jobstream.Config{Replicas: 1, AckWait: jobstream.DefaultAckWait})
	for _, s := range in.Streams {
		want := jobstream.InspectedStream{Name: s.Name, Replicas: 1, Current: 1}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Error(diff)
		}
	}
	want := &jobstream.InspectedConsumer{MaxDeliver: jobstream.DefaultMaxDeliver, AckWait: jobstream.DefaultAckWait}
	if diff := cmp.Diff(want, in.Consumer); diff != "" {
		t.Error(diff)
	}
}

// TestInspectFindsDrift: each changed setting is named, with both values. A setting that
// cannot be changed in place is told apart.
func TestInspectFindsDrift(t *testing.T) {
	t.Parallel()
	b := bare(t)
	must.Get(b.js.CreateStream(b.ctx, jetstream.StreamConfig{
		Name: job.StreamDead, Subjects: []string{job.SubjectDead}, Storage: jetstream.MemoryStorage,
	}))(t)
	b.mustMismatch()
	must.Do(t, b.js.DeleteStream(b.ctx, job.StreamDead))
	b.open(jobstream.Config{})
	scores := b.stream("KV_" + job.BucketScores)
	scores.MaxAge = time.Hour
	must.Get(b.js.UpdateStream(b.ctx, scores))(t)
	must.Do(t, b.bus.Queue.ServeOnly(b.ctx, "r1"))
	in := b.inspect(jobstream.Config{AckWait: 7 * time.Second})
	at := slices.IndexFunc(in.Streams, func(s jobstream.InspectedStream) bool { return s.Name == "KV_"+job.BucketScores })
	want := []jobstream.Drift{{Setting: "MaxAge", Have: time.Hour, Want: 1080 * time.Hour}}
	if diff := cmp.Diff(want, in.Streams[at].Drift); diff != "" {
		t.Error(diff)
	}
	want = []jobstream.Drift{{Setting: "AckWait", Have: 30 * time.Second, Want: 7 * time.Second}}
	if diff := cmp.Diff(want, in.Consumer.Drift); diff != "" || in.Consumer.Filter != job.RoundSubject("r1") {
		t.Errorf("%s%+v", diff, in.Consumer)
	}
	if b.consumer().AckWait != 30*time.Second || b.stream("KV_"+job.BucketScores).MaxAge != time.Hour {
		t.Error("Inspect changed what it looked at")
	}
}

func (b *bundle) mustMismatch() {
	b.t.Helper()
	for _, s := range b.inspect(jobstream.Config{}).Streams {
		if s.Name == job.StreamDead && (s.Mismatch == nil || s.Mismatch.Setting != "storage") {
			b.t.Errorf("%+v, want a mismatch of storage", s)
		}
	}
}

// TestTryRoleHasNoEffect: a user with all rights has what the roles need, and more.
// Streams, buckets and the queue stay unchanged.
func TestTryRoleHasNoEffect(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.publish(aJob(1), aJob(2))
	states := func() (all []jetstream.StreamState) {
		for _, s := range b.inspect(jobstream.Config{}).Streams {
			stream := must.Get(b.js.Stream(b.ctx, s.Name))(t)
			all = append(all, stream.CachedInfo().State)
		}
		return all
	}
	waiting := func() *jetstream.ConsumerInfo {
		c := must.Get(b.js.Consumer(b.ctx, job.StreamJobs, job.Consumer))(t)
		return c.CachedInfo()
	}
	before, consumer := states(), waiting()
	for _, role := range []jobstream.Role{jobstream.RoleProducer, jobstream.RoleWorker} {
		got, err := jobstream.TryRole(b.ctx, b.servers.NATSURL(), role, jobstream.Files{})
		if err != nil || len(got.Denied) != 0 || len(got.Excess) == 0 {
			t.Errorf("%s: %+v, %v, want nothing denied, and more than needed", role, got, err)
		}
	}
	if diff := cmp.Diff(before, states()); diff != "" {
		t.Errorf("the streams have changed: %s", diff)
	}
	if after := waiting(); after.NumWaiting != 0 || after.NumAckPending != 0 || after.Delivered != consumer.Delivered ||
		!cmp.Equal(after.Config, consumer.Config) {
		t.Errorf("the consumer is %+v, was %+v", after, consumer)
	}
	if _, err := jobstream.TryRole(b.ctx, "nats://user:secret@127.0.0.1:1", jobstream.RoleWorker, jobstream.Files{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("nobody listens there: %v, want an error without the password", err)
	}
	if _, err := jobstream.Inspect(b.ctx, b.nc, jobstream.Config{Replicas: 9}); err == nil || errors.Is(err, jobstream.ErrNoJetStream) {
		t.Errorf("9 replicas: %v, want an error", err)
	}
}

// TestALookAtARoleIsNotLogged: a process looks at its user's rights whenever it starts. The
// server's log, which a round on one machine shows, does not warn of that.
func TestALookAtARoleIsNotLogged(t *testing.T) {
	t.Parallel()
	log := &telemetrytest.Log{}
	servers := must.Get(local.Start(t.Context(), local.Config{Dir: t.TempDir(), Log: log.Logger()}))(t)
	defer func() { must.Check(t, servers.Close()) }()
	for range 2 {
		for _, role := range []jobstream.Role{jobstream.RoleProducer, jobstream.RoleWorker} {
			must.Do(t, jobstream.Suits(t.Context(), servers.NATSURL(), role, jobstream.Files{}))
		}
		jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{})
	}
	if said := log.String(); strings.Contains(said, "WARN") {
		t.Errorf("the log says\n%s\nwant no warning", said)
	}
}
