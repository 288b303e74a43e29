package cluster_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// TestAFormingClusterIsWaitedFor: whoever starts at the same time as the
// servers finds no leader, then too few servers for three copies, and then his
// streams.
func TestAFormingClusterIsWaitedFor(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	c := cluster.Start(ctx, t, cluster.Config{Settings: settings, Forming: true})
	nc := must.Get(jobstream.Connect(ctx, c.URL(cluster.Producer), "test", jobstream.ConnectConfig{Log: jobstreamtest.Quiet()}))(t)
	t.Cleanup(nc.Close)
	if _, err := jobstream.Open(ctx, nc, jobstream.Config{Replicas: 3, Timeout: 2 * time.Second, Wait: patience, Log: jobstreamtest.Quiet()}); err != nil {
		t.Errorf("Open ended with %v", err)
	}
}

// TestTooFewServersAreWaitedFor: a server that is missing may come, so copies
// that cannot be placed (error 10005) are no end at once; but the wait is
// bounded, and its end says what there is too little of.
func TestTooFewServersAreWaitedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var said strings.Builder
	_, err := jobstream.Open(b.ctx, b.nc, jobstream.Config{
		Replicas: 5, Wait: 2 * time.Second, Log: slog.New(slog.NewTextHandler(&said, nil)),
	})
	if err == nil || !strings.Contains(err.Error(), "not ready after 2s") || !strings.Contains(err.Error(), "10005") {
		t.Errorf("Open with more copies than servers: %v, want an error that names the wait and the reason", err)
	}
	if !strings.Contains(said.String(), "NATS refuses requests") || !strings.Contains(said.String(), "10005") {
		t.Errorf("nothing was said of the wait:\n%s", said.String())
	}
}

// TestALostQuestionIsAskedAgain: a stream whose leader is gone answers no question, and its next
// leader does not answer those from before. A worker that asks meanwhile asks again, long before
// the time of a try is over.
func TestALostQuestionIsAskedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(b.nc, 3)
	leader := b.leader()
	others := []string{b.cluster.Address((leader + 1) % 3), b.cluster.Address((leader + 2) % 3)}
	nc := b.connectTo(cluster.URL(cluster.Worker, others...))
	b.must(b.cluster.Frozen(leader, func() error {
		_, err := jobstream.Open(b.ctx, nc, jobstream.Config{Role: jobstream.RoleWorker, Timeout: patience, Log: jobstreamtest.Quiet()})
		return err
	}))
}
