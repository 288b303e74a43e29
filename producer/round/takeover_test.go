package round_test

import (
	"bytes"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

// losing dials connections that lose the first message with a given text. The client
// passes on whole messages, so all that goes with it is lost whole, too.
type losing struct {
	text []byte
	lost chan struct{}
	once atomic.Bool
}

func (l *losing) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	return losingConn{conn, l}, err
}

type losingConn struct {
	net.Conn

	l *losing
}

func (c losingConn) Write(p []byte) (int, error) {
	if bytes.Contains(p, c.l.text) && c.l.once.CompareAndSwap(false, true) {
		close(c.l.lost)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// losing opens the streams over connections that lose a message.
func (b *bundle) losing(t *testing.T, l *losing) *jobstream.Bus {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	nc, err := jobstream.Connect(t.Context(), b.nats, "losing", jobstream.ConnectConfig{
		Log: quiet, Options: []nats.Option{nats.SetCustomDialer(l)},
	})
	must.Do(t, err)
	t.Cleanup(nc.Close)
	bus, err := jobstream.Open(t.Context(), nc, jobstream.Config{Log: quiet})
	must.Do(t, err)
	return bus
}

// A replay that had chosen its miners, and lost its hold before its plan was
// written, once took the round for ended and told of miners run again that
// nobody had run.
func TestAReplayTakenOverBeforeItsPlanIsBegunAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	p, m, _ := failing(t, b)
	p.healed.Store(true)
	l := &losing{text: []byte("PUB $KV." + job.BucketRounds + "." + job.ReplayKey(m.Round, 1)), lost: make(chan struct{})}
	bus := b.losing(t, l)
	runner := b.runner(t, func(c *round.Config) { c.Bus, c.Takeover = bus, 500*time.Millisecond })

	type end struct {
		result outcome.Result
		did    outcome.Replayed
		err    error
	}
	ends, ctx := make(chan end, 1), deadline(t)
	go func() {
		result, did, err := runner.Replay(ctx, m.Round, outcome.Selection{})
		ends <- end{result, did, err}
	}()
	select {
	case <-l.lost:
	case one := <-ends:
		t.Fatalf("the replay ended before its plan was sent: %v", one.err)
	}
	b.takeOver(t, m.Round) // by one who is silent from then on: the round comes back
	got := <-ends
	must.Do(t, got.err)
	if diff := cmp.Diff(outcome.Replayed{UIDs: []int{1, 2}}, got.did); diff != "" {
		t.Errorf("replayed (-want +got):\n%s", diff)
	}
	if !got.result.Complete || got.result.Revision != 2 || p.times(1) != 2 || p.times(2) != 2 {
		t.Errorf("complete %v, revision %d, evaluated %d and %d times; want a complete second revision and each miner run again",
			got.result.Complete, got.result.Revision, p.times(1), p.times(2))
	}
	b.holds(t, m.Round)
}
