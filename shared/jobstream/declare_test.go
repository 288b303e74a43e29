package jobstream_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

func (b *bundle) stream(name string) jetstream.StreamConfig {
	b.t.Helper()
	s, err := b.js.Stream(b.ctx, name)
	if err != nil {
		b.t.Fatalf("stream %s: %v", name, err)
	}
	return s.CachedInfo().Config
}

func (b *bundle) consumer() jetstream.ConsumerConfig {
	b.t.Helper()
	c := must.Get(b.js.Consumer(b.ctx, job.StreamJobs, job.Consumer))(b.t)
	return c.CachedInfo().Config
}

// TestDeclares holds the settings that the guarantees depend on.
func TestDeclares(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	type settings struct {
		Retention jetstream.RetentionPolicy
		Age       time.Duration
		Subjects  []string
	}
	want := map[string]settings{
		"MINER_JOBS":     {jetstream.WorkQueuePolicy, 0, []string{"miner.job.>"}},
		"MINER_WARM":     {jetstream.WorkQueuePolicy, 6 * time.Hour, []string{"miner.warm.>"}},
		"MINER_DEAD":     {jetstream.LimitsPolicy, 720 * time.Hour, []string{"miner.dead.>"}},
		"MINER_ADVISORY": {jetstream.LimitsPolicy, 720 * time.Hour, []string{"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.MINER_JOBS.>"}},
		"KV_ROUNDS":      {jetstream.LimitsPolicy, 0, []string{"$KV.ROUNDS.>"}},
		"KV_RECORDS":     {jetstream.LimitsPolicy, 0, []string{"$KV.RECORDS.>"}},
		"KV_EVALUATIONS": {jetstream.LimitsPolicy, 0, []string{"$KV.EVALUATIONS.>"}},
		"KV_MINERS":      {jetstream.LimitsPolicy, 0, []string{"$KV.MINERS.>"}},
		"KV_SCORES":      {jetstream.LimitsPolicy, 1080 * time.Hour, []string{"$KV.SCORES.>"}},
		"KV_IDENTITIES":  {jetstream.LimitsPolicy, 24 * time.Hour, []string{"$KV.IDENTITIES.>"}},
		"KV_WORKERS":     {jetstream.LimitsPolicy, 24 * time.Hour, []string{"$KV.WORKERS.>"}},
	}
	got := map[string]settings{}
	for _, name := range jobstream.StreamNames() {
		s := b.stream(name)
		got[name] = settings{s.Retention, s.MaxAge, s.Subjects}
		if s.Storage != jetstream.FileStorage || s.Replicas != 1 {
			t.Errorf("%s: %s storage, %d replicas, want file and 1", name, s.Storage, s.Replicas)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	c := b.consumer()
	if c.AckWait != 30*time.Second || c.MaxDeliver != 20 || c.MaxAckPending != 4096 || c.BackOff != nil ||
		c.AckPolicy != jetstream.AckExplicitPolicy || c.FilterSubject != "" {
		t.Errorf("consumer is %+v", c)
	}
}

// TestOpenKeepsWhatItIsNotTold: a worker without settings must not undo the producer's
// settings. Neither of them may undo an operator's.
func TestOpenKeepsWhatItIsNotTold(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: 7 * time.Second, MaxDeliver: 9, MaxAckPending: 100})
	s := b.stream(job.StreamJobs)
	s.Metadata = map[string]string{"owner": "ops"}
	must.Get(b.js.UpdateStream(b.ctx, s))(t)
	b.open(jobstream.Config{})
	if c := b.consumer(); c.AckWait != 7*time.Second || c.MaxDeliver != 9 || c.MaxAckPending != 100 {
		t.Errorf("a second Open changed the consumer to %+v", c)
	}
	if got := b.bus.AckWait(); got != 7*time.Second {
		t.Errorf("AckWait is %s, want what is in force: 7s", got)
	}
	if got := b.stream(job.StreamJobs).Metadata["owner"]; got != "ops" {
		t.Errorf("the operator's metadata is %q, want it kept", got)
	}
}

// TestOpenMends: a changed setting of a stream is set back, or refused by name. This
// includes settings that the product does not use, such as a republish, which would let
// its owner write elsewhere.
func TestOpenMends(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stream string
		drift  func(*jetstream.StreamConfig)
		// refused is the setting that the server does not set back.
		refused string
	}{
		"age and ids":  {job.StreamDead, func(s *jetstream.StreamConfig) { s.MaxAge, s.Duplicates = time.Minute, time.Minute }, ""},
		"subjects":     {job.StreamJobs, func(s *jetstream.StreamConfig) { s.Subjects = append(s.Subjects, "other.>") }, ""},
		"bucket's age": {"KV_" + job.BucketScores, func(s *jetstream.StreamConfig) { s.MaxAge = time.Hour }, ""},
		"description":  {"KV_" + job.BucketRecords, func(s *jetstream.StreamConfig) { s.Description = "x" }, ""},
		"messages":     {"KV_" + job.BucketRounds, func(s *jetstream.StreamConfig) { s.MaxMsgs = 1 }, ""},
		"bytes":        {"KV_" + job.BucketEvaluation, func(s *jetstream.StreamConfig) { s.MaxBytes = 1 << 20 }, ""},
		"size":         {job.StreamJobs, func(s *jetstream.StreamConfig) { s.MaxMsgSize = 10 }, ""},
		"discard":      {"KV_" + job.BucketScores, func(s *jetstream.StreamConfig) { s.Discard = jetstream.DiscardNew }, ""},
		"history":      {"KV_" + job.BucketMiners, func(s *jetstream.StreamConfig) { s.MaxMsgsPerSubject = 5 }, ""},
		"direct reads": {"KV_" + job.BucketRecords, func(s *jetstream.StreamConfig) { s.AllowDirect = true }, ""},
		"no acks":      {job.StreamDead, func(s *jetstream.StreamConfig) { s.NoAck = true }, ""},
		"republish": {job.StreamJobs, func(s *jetstream.StreamConfig) {
			s.RePublish = &jetstream.RePublish{Source: ">", Destination: "elsewhere.>"}
		}, ""},
		"sources": {"KV_" + job.BucketMiners, func(s *jetstream.StreamConfig) {
			s.Sources = []*jetstream.StreamSource{{Name: job.StreamDead}}
		}, ""},
		"transform": {job.StreamDead, func(s *jetstream.StreamConfig) {
			s.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "miner.dead.>", Destination: "elsewhere.>"}
		}, ""},
		"no purge": {job.StreamDead, func(s *jetstream.StreamConfig) { s.DenyPurge = true }, "DenyPurge"},
		"sealed":   {job.StreamDead, func(s *jetstream.StreamConfig) { s.Sealed = true }, "Sealed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{})
			before := b.stream(c.stream)
			drifted := before
			c.drift(&drifted)
			must.Get(b.js.UpdateStream(b.ctx, drifted))(t)
			_, err := jobstream.Open(b.ctx, b.nc, jobstream.Config{})
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.stream) || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("got %v, want an error that names %s and %s", err, c.stream, c.refused)
				}
				return
			}
			must.Do(t, err)
			if diff := cmp.Diff(before, b.stream(c.stream)); diff != "" {
				t.Errorf("not mended: %s", diff)
			}
		})
	}
}

// TestOpenMendsTheConsumer: a consumer that somebody has changed is set back, and delivers
// every job again, each to one worker.
func TestOpenMendsTheConsumer(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	before := b.consumer()
	drifted := before
	drifted.BackOff = []time.Duration{time.Hour}
	drifted.HeadersOnly = true
	drifted.MaxRequestBatch = 1
	drifted.InactiveThreshold = time.Hour
	must.Get(b.js.UpdateConsumer(b.ctx, job.StreamJobs, drifted))(t)
	b.open(jobstream.Config{AckWait: before.AckWait})
	if diff := cmp.Diff(before, b.consumer()); diff != "" {
		t.Errorf("not mended: %s", diff)
	}
}

// TestTheScoreCacheDropsTheOldest: the cache must never take the space of rounds, and
// never refuse a new entry.
func TestTheScoreCacheDropsTheOldest(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	if s := b.stream("KV_" + job.BucketScores); s.MaxBytes != 512<<20 || s.Discard != jetstream.DiscardOld {
		t.Errorf("the bucket keeps %d bytes and discards %s, want 512 MB and the oldest", s.MaxBytes, s.Discard)
	}
	for _, name := range []string{job.StreamJobs, "KV_" + job.BucketRecords, "KV_" + job.BucketEvaluation, "KV_" + job.BucketRounds} {
		if s := b.stream(name); s.MaxBytes != -1 || s.MaxMsgs != -1 {
			t.Errorf("%s keeps %d bytes and %d messages, want all", name, s.MaxBytes, s.MaxMsgs)
		}
	}
}

func TestMismatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		existing jetstream.StreamConfig
		setting  string
	}{
		"retention": {jetstream.StreamConfig{Name: job.StreamJobs, Subjects: []string{job.SubjectJobs}}, "retention"},
		"storage":   {jetstream.StreamConfig{Name: job.StreamDead, Subjects: []string{job.SubjectDead}, Storage: jetstream.MemoryStorage}, "storage"},
	} {
		b := bare(t)
		must.Get(b.js.CreateStream(b.ctx, c.existing))(t)
		_, err := jobstream.Open(b.ctx, b.nc, jobstream.Config{})
		var mismatch *jobstream.MismatchError
		if !errors.As(err, &mismatch) || mismatch.Stream != c.existing.Name || mismatch.Setting != c.setting {
			t.Errorf("%s: got %v, want a MismatchError of stream %s", name, err, c.existing.Name)
		}
	}
	b := bare(t)
	must.Get(b.js.CreateKeyValue(b.ctx, jetstream.KeyValueConfig{Bucket: job.BucketRecords, Storage: jetstream.MemoryStorage}))(t)
	_, err := jobstream.Open(b.ctx, b.nc, jobstream.Config{})
	var mismatch *jobstream.MismatchError
	if !errors.As(err, &mismatch) || !strings.Contains(err.Error(), "KV_RECORDS") || !strings.Contains(err.Error(), "storage") {
		t.Errorf("bucket in memory: got %v, want a MismatchError that names KV_RECORDS and storage", err)
	}
}

// TestRefusedUpdateNamesTheStream: an update that only the server can refuse still gives
// an error with the stream's name.
func TestRefusedUpdateNamesTheStream(t *testing.T) {
	t.Parallel()
	b := bare(t)
	_, err := jobstream.Open(b.ctx, b.nc, jobstream.Config{Replicas: 3})
	if err == nil || !strings.Contains(err.Error(), job.StreamJobs) || !strings.Contains(err.Error(), "replicas") {
		t.Errorf("3 replicas on one server: got %v, want an error that names %s and replicas", err, job.StreamJobs)
	}
}

// TestOpenAtOnce: a fleet starts together on an empty server.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	b := bare(t)
	var opening sync.WaitGroup
	for range 6 {
		opening.Go(func() {
			if _, err := jobstream.Open(b.ctx, b.nc, jobstream.Config{AckWait: time.Second}); err != nil {
				t.Error(err)
			}
		})
	}
	opening.Wait()
}

// TestOpenFarAway: NATS is on another continent. All questions together take longer than one
// may, and the streams are declared and found all the same.
func TestOpenFarAway(t *testing.T) {
	t.Parallel()
	b := bare(t)
	way := nettest.NewRelay(t, b.servers.NATSURL())
	nc, _ := jobstreamtest.Connect(t, way.URL(), b.log.Logger())
	way.Delay(40*time.Millisecond, 40*time.Millisecond)
	for _, role := range []jobstream.Role{jobstream.RoleProducer, jobstream.RoleWorker, jobstream.RoleViewer} {
		began := time.Now()
		must.Get(jobstream.Open(b.ctx, nc, jobstream.Config{Role: role, Timeout: 600 * time.Millisecond, Wait: patience, Log: b.log.Logger()}))(t)
		if took := time.Since(began); took < 600*time.Millisecond {
			t.Errorf("%s: all questions took %s, want more than one may take", role, took)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	for field, cfg := range map[string]jobstream.Config{
		"Replicas is 6":       {Replicas: 6},
		"AckWait is 1ms":      {AckWait: time.Millisecond},
		"MaxDeliver is 1":     {MaxDeliver: 1},
		"MaxAckPending is -1": {MaxAckPending: -1},
		"Timeout is -1s":      {Timeout: -time.Second},
		"RetryWait is -1s":    {RetryWait: -time.Second},
	} {
		if _, err := jobstream.Open(t.Context(), nil, cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("got %v, want an error with %q", err, field)
		}
	}
}
