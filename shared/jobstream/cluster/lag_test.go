package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/scoring"
)

// late is how much later the slow replica hears of everything.
const late = 2 * time.Second

// near and far are the node that a client of the others asks, and the slow one.
const near, far = 0, 2

// apart is a cluster whose last node leads nothing; it is told when to hear late.
func apart(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	b := &bundle{t: t, ctx: ctx, cluster: cluster.Start(ctx, t, cluster.Config{Settings: settings, Apart: true})}
	b.openAt(cluster.Producer, b.cluster.Address(near), 3)
	_, b.js = jobstreamtest.Connect(t, cluster.URL(cluster.Producer, b.cluster.Address(near)), nil)
	// It loses what it leads when it ends, and gets it back if it is there before the others have elected.
	b.cluster.Kill(far)
	b.until("the near nodes lead everything", b.nearLead)
	b.must(b.cluster.Restart(far))
	b.must(b.cluster.Healthy(ctx))
	return b
}

// nearLead says whether a near node leads each stream and consumer that a round needs.
func (b *bundle) nearLead() bool {
	ctx, cancel := context.WithTimeout(b.ctx, time.Second) // a question may be lost with a leader
	defer cancel()
	var of []*jetstream.ClusterInfo
	for _, name := range []string{job.StreamJobs, "KV_" + job.BucketRounds, "KV_" + job.BucketRecords, "KV_" + job.BucketEvaluation} {
		s, err := b.js.Stream(ctx, name)
		if err != nil {
			return false
		}
		of = append(of, s.CachedInfo().Cluster)
	}
	c, err := b.js.Consumer(ctx, job.StreamJobs, job.Consumer)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(append(of, c.CachedInfo().Cluster), func(info *jetstream.ClusterInfo) bool {
		leader := -1
		if info != nil {
			leader = b.cluster.Node(info.Leader)
		}
		return leader < 0 || leader == far
	})
}

// isLate wants a worker's read through the far node, which any replica answers, not to
// see what was confirmed just now: or a test of reads would show nothing.
func (b *bundle) isLate(writer, worker *jobstream.Bus) {
	b.t.Helper()
	n := 0
	b.until("a direct read through the far node is late", func() bool {
		n++
		round := fmt.Sprintf("late-%d", n)
		b.must(writer.Rounds.CreateManifest(b.ctx, job.Manifest{Round: round}))
		_, err := worker.Rounds.Manifest(b.ctx, round)
		return errors.Is(err, jobstream.ErrNotFound)
	})
}

// hearsLate has the far node hear of everything late from now on.
func (b *bundle) hearsLate() { b.cluster.Route.Delay(late, late, nettest.Up) }

// openAt opens the streams over a connection to one address, whose answers may be
// late.
func (b *bundle) openAt(user, address string, replicas int) *jobstream.Bus {
	b.t.Helper()
	bus, _ := jobstreamtest.Open(b.t, cluster.URL(user, address), jobstream.Config{Role: jobstream.Role(user), Replicas: replicas, Timeout: 10 * late})
	return bus
}

// TestReadsAreCurrentBesideASlowReplica: whoever asks through a replica that hears
// late is told what was confirmed to another before. A direct read, which any replica
// answers with what it has, finds nothing yet: a worker reads a round's manifest so,
// and tries again.
func TestReadsAreCurrentBesideASlowReplica(t *testing.T) {
	t.Parallel()
	b := apart(t)
	writer, reader := b.openAt(cluster.Producer, b.cluster.Address(near), 0), b.openAt(cluster.Viewer, b.cluster.Address(far), 0)
	worker := b.openAt(cluster.Worker, b.cluster.Address(far), 0)
	b.hearsLate()
	b.isLate(writer, worker)
	_, err := writer.Records.Plan(b.ctx, job.Plan("r1", 1, ""))
	b.must(err)
	planned, revision, err := reader.Records.Load(b.ctx, "r1", 1)
	if err != nil || planned.Phase != job.Planned {
		t.Fatalf("a record that was just planned: %+v, %v", planned, err)
	}
	claimed, err := planned.Claimed(job.Claim{ID: "c1", Worker: "w1", Sequence: 1, Delivery: 1})
	b.must(err)
	_, err = writer.Records.Update(b.ctx, claimed, revision)
	b.must(err)
	if got, _, err := reader.Records.Load(b.ctx, "r1", 1); err != nil || got.Phase != job.Running {
		t.Errorf("a record that was just claimed: %+v, %v", got, err)
	}
	key := job.EvaluationKey("r1", 1, "c1")
	b.must(b.openAt(cluster.Worker, b.cluster.Address(near), 0).Evaluations.Put(b.ctx, key, job.Evaluation{Round: "r1", UID: 1, Claim: "c1"}))
	if _, err := reader.Evaluations.Load(b.ctx, key); err != nil {
		t.Errorf("an evaluation that was just stored: %v", err)
	}
	b.must(writer.Rounds.CreateManifest(b.ctx, job.Manifest{Round: "r1"}))
	if _, err := reader.Rounds.Manifest(b.ctx, "r1"); err != nil {
		t.Errorf("a manifest that was just written: %v", err)
	}
}

// TestARoundBesideASlowReplicaRunsEachJobOnce: one of two workers is a client of the
// replica that hears late. Each job runs once, and none is lost.
func TestARoundBesideASlowReplicaRunsEachJobOnce(t *testing.T) {
	t.Parallel()
	b := apart(t)
	producer := b.openAt(cluster.Producer, b.cluster.Address(near), 0)
	farBus, nearBus := b.openAt(cluster.Worker, b.cluster.Address(far), 0), b.openAt(cluster.Worker, b.cluster.Address(near), 0)
	b.hearsLate()
	const jobs = 12
	var mu sync.Mutex
	ran, slowly := map[int]int{}, make(chan struct{})
	begun := sync.OnceFunc(func() { close(slowly) })
	handler := func(ctx context.Context, j job.Job) (job.Evaluation, error) {
		mu.Lock()
		defer mu.Unlock()
		ran[j.UID]++
		return job.Evaluation{Evaluation: scoring.Evaluation{UID: j.UID, Hotkey: j.Hotkey, GitHubID: j.GitHubID}}, ctx.Err()
	}
	b.work("far", farBus, 3*late, func(ctx context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		begun()
		return handler(ctx, j)
	})
	b.work("near", nearBus, 0, func(ctx context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		select {
		case <-slowly: // or it would do all of them
			return handler(ctx, j)
		case <-ctx.Done():
			return job.Evaluation{}, context.Cause(ctx)
		}
	})
	result := must.Receive(b.ctx, t, b.round(producer, jobs), "the round ends")
	if result.Done != jobs || result.Failed != 0 || result.Retries != 0 || len(result.Outcome.Miners) != jobs {
		t.Errorf("done %d, failed %d, retries %d, want %d done and nothing else", result.Done, result.Failed, result.Retries, jobs)
	}
	for uid := range jobs {
		if ran[uid+1] != 1 {
			t.Errorf("miner %d was evaluated %d times", uid+1, ran[uid+1])
		}
	}
}
