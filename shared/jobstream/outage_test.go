package jobstream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// TestRestartKeepsEverything: streams, records and leases outlive the server. Clients
// that were using it continue by themselves.
func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: time.Second, Timeout: time.Second})
	b.plan(1)
	b.publish(aJob(1), aJob(2))
	if d := b.next(); d.Number() != 1 {
		t.Fatalf("delivery %d", d.Number())
	}
	must.Do(t, b.bus.Evaluations.Put(b.ctx, "r1.7.c", anEvaluation("x")))
	b.servers.Stop()
	type result struct {
		record job.Record
		err    error
	}
	read := make(chan result, 1)
	go func() { // begun while nobody answers
		r, _, err := b.bus.Records.Load(b.ctx, "r1", 1)
		read <- result{r, err}
	}()
	b.log.Await(b.ctx, t, "NATS does not answer")
	b.servers.Again()
	if got := <-read; got.err != nil || got.record.UID != 1 {
		t.Errorf("the record reads as %+v, %v", got.record, got.err)
	}
	b.log.Await(b.ctx, t, "NATS answers again")
	if _, err := b.bus.Evaluations.Load(b.ctx, "r1.7.c"); err != nil {
		t.Error(err)
	}
	b.publish(aJob(2)) // still remembered
	if got := b.messages(); got != 2 {
		t.Errorf("the stream holds %d messages, want 2", got)
	}
	seen := map[string]uint64{}
	for range 2 {
		d := b.next()
		seen[d.Subject()] = d.Number()
		must.Do(t, d.Ack(b.ctx))
	}
	if seen["miner.job.r1.1"] != 2 || seen["miner.job.r1.2"] != 1 {
		t.Errorf("deliveries are %v, want the second of job 1 and the first of job 2", seen)
	}
	if n := b.log.Count("NATS does not answer"); n != 1 {
		t.Errorf("the outage was logged %d times, want once", n)
	}
}

// throughWire is a bus of its own over a connection that can be held up.
func (b *bundle) throughWire(cfg jobstream.Config) (*jobstream.Bus, *nettest.Relay) {
	b.t.Helper()
	w := nettest.NewRelay(b.t, b.servers.NATSURL())
	cfg.Log = b.log.Logger()
	bus, _ := jobstreamtest.Open(b.t, w.URL(), cfg)
	return bus, w
}

// TestLostAnswerIsNoConflict: a write arrived and its answer did not. It is recognised as
// our own, and not taken for another's.
func TestLostAnswerIsNoConflict(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.plan(1)
	bus, w := b.throughWire(jobstream.Config{Timeout: 500 * time.Millisecond})
	r, revision, err := bus.Records.Load(b.ctx, "r1", 1)
	must.Do(t, err)
	w.Hold(nettest.Down)
	r.Requests = 99
	type result struct {
		revision uint64
		err      error
	}
	written := make(chan result, 1)
	go func() {
		next, err := bus.Records.Update(b.ctx, r, revision)
		written <- result{next, err}
	}()
	b.log.Await(b.ctx, t, "NATS does not answer")
	stored, at, err := b.bus.Records.Load(b.ctx, "r1", 1) // by the other connection
	if err != nil || stored.Requests != 99 {
		t.Fatalf("the write has not arrived: %+v, %v", stored, err)
	}
	w.Release()
	if got := <-written; got.err != nil || got.revision != at {
		t.Errorf("got revision %d, %v, want %d", got.revision, got.err, at)
	}
}

// TestLostAnswerAndAnotherWriter: if another client wrote after us, it is a conflict.
func TestLostAnswerAndAnotherWriter(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.plan(1)
	bus, w := b.throughWire(jobstream.Config{Timeout: 500 * time.Millisecond})
	r, revision, err := bus.Records.Load(b.ctx, "r1", 1)
	must.Do(t, err)
	w.Hold(nettest.Down)
	r.Requests = 99
	written := make(chan error, 1)
	go func() {
		_, err := bus.Records.Update(b.ctx, r, revision)
		written <- err
	}()
	b.log.Await(b.ctx, t, "NATS does not answer")
	b.change(1)
	w.Release()
	if err := <-written; !errors.Is(err, jobstream.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
}

// TestNothingIsSentLate: a nak that is given while disconnected fails at once. If it were
// sent after the reconnect, it would end the next holder's lease.
func TestNothingIsSentLate(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: 10 * time.Minute, Timeout: 5 * time.Second})
	b.publish(aJob(1))
	d := b.next()
	b.servers.Stop()
	b.log.Await(b.ctx, t, "NATS connection lost")
	for what, say := range map[string]func() error{
		"nak":       func() error { return d.Nak(b.ctx, 0) },
		"heartbeat": func() error { return d.InProgress(b.ctx) },
	} {
		if err := say(); !errors.Is(err, nats.ErrReconnectBufExceeded) {
			t.Errorf("%s while disconnected: got %v, want it refused at once", what, err)
		}
	}
	b.servers.Again()
	b.log.Await(b.ctx, t, "NATS reconnected")
	if got, err := b.bus.Queue.Fetch(b.ctx, 1, time.Second); err != nil || len(got) > 0 {
		t.Errorf("got %d deliveries, %v, want none: the nak was not given", len(got), err)
	}
}

// TestOperationsEndWithTheirContext while no server answers.
func TestOperationsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{Timeout: time.Second})
	b.servers.Stop()
	ctx, cancel := context.WithCancel(b.ctx)
	read := make(chan error, 1)
	go func() {
		_, _, err := b.bus.Records.Load(ctx, "r1", 1)
		read <- err
	}()
	b.log.Await(b.ctx, t, "NATS does not answer")
	cancel()
	if err := <-read; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}
}

func TestConnectWaits(t *testing.T) {
	t.Parallel()
	b := bare(t)
	address := b.servers.NATSURL()
	b.servers.Stop()
	log := &telemetrytest.Log{}
	connected := make(chan error, 1)
	go func() {
		nc, err := jobstream.Connect(b.ctx, address, "t", jobstream.ConnectConfig{Wait: patience, Remind: time.Hour, Log: log.Logger(), Retry: 10 * time.Millisecond})
		if err == nil {
			nc.Close()
		}
		connected <- err
	}()
	log.Await(b.ctx, t, "waiting for NATS")
	b.servers.Again()
	must.Check(t, <-connected)
	if n := log.Count("waiting for NATS"); n != 1 {
		t.Errorf("said %d times in less than Remind, want once", n)
	}
}

// TestConnectGivesUp: the error names address and setting, and hides the password.
func TestConnectGivesUp(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must.Do(t, err)
	address := l.Addr().String()
	l.Close() // nobody listens there now
	log := &telemetrytest.Log{}
	_, err = jobstream.Connect(t.Context(), "nats://ann:s3cret@"+address, "t", jobstream.ConnectConfig{
		Wait: 100 * time.Millisecond, Retry: 10 * time.Millisecond, Setting: "--connect-timeout", Log: log.Logger(),
	})
	if err == nil {
		t.Fatal("connected to nobody")
	}
	for _, want := range []string{address, "--connect-timeout", "100ms"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if all := err.Error() + log.String(); strings.Contains(all, "s3cret") || strings.Contains(all, "ann") {
		t.Errorf("the credentials are in %s", all)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := jobstream.Connect(ctx, address, "t", jobstream.ConnectConfig{Log: log.Logger()}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: got %v", err)
	}
}

func TestConnectAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "http://h:1", "nats://", "nats://ann:s3cret@:4222", "nats://ann:s3cret@h:port", ",",
		"nats://ann:s3cret,more@h:1", "nats://ann:s3cret@more,end@h:1", "nats://h:1,nats://ann:s3cret,more@h:1", "nats://ann:s3cret,a/b@h", "nats://h:1,ann:s3cret@i:1",
	} {
		_, err := jobstream.Connect(t.Context(), address, "t", jobstream.ConnectConfig{Wait: time.Nanosecond})
		if err == nil || !strings.Contains(err.Error(), "NATS address") {
			t.Errorf("%q: got %v, want an error about the address", address, err)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: the password is in %v", address, err)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"nats://h:1":                     "nats://h:1",
		"nats://u:p@h:1":                 "nats://***@h:1",
		"nats://token@h:1,tls://u:p@i:2": "nats://***@h:1,tls://***@i:2",
		"u:p@ss@h:1":                     "***@h:1",
		"nats://u:p,ss@h:1":              "nats://***@h:1",
		"nats://u:p@s,s@h:1,nats://i:2":  "nats://***@h:1,nats://i:2",
		"nats://h:1, nats://u:p,s@i:2":   "nats://h:1, nats://***@i:2",
		"nats://u:p@h:1,i:2":             "nats://***@h:1,i:2",
	} {
		if got := jobstream.Redact(address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

// TestALostQuestionIsAskedAgain: a list whose first request was lost with its connection
// must not wait for ever for an answer.
func TestALostQuestionIsAskedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.plan(1)
	bus, w := b.throughWire(jobstream.Config{Timeout: 300 * time.Millisecond, RetryWait: 50 * time.Millisecond})
	w.Hold(nettest.Up)
	type result struct {
		records []job.Record
		err     error
	}
	listed := make(chan result, 1)
	go func() {
		records, err := bus.Records.List(b.ctx, "r1")
		listed <- result{records, err}
	}()
	b.log.Await(b.ctx, t, "NATS does not answer")
	w.Cut()
	w.Release()
	w.Mend()
	if got := <-listed; got.err != nil || len(got.records) != 1 {
		t.Errorf("listed %v, %v; want the record", got.records, got.err)
	}
}

// TestListsEndWithTheirContext, whenever that ends.
func TestListsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.plan(1)
	whole := time.Hour
	for range 10 {
		began := time.Now()
		must.Get(b.bus.Outcomes.Revisions(b.ctx, "r1"))(t)
		whole = min(whole, time.Since(began))
	}
	const runs = 300
	for i := range runs {
		ctx, cancel := context.WithTimeout(b.ctx, whole*time.Duration(i)/runs)
		_, err := b.bus.Outcomes.Revisions(ctx, "r1")
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("run %d: %v", i, err)
		}
	}
}

// TestAPullThatCannotBeSentLeavesNothing: each unsent pull once left a subscription
// behind. The next connection would begin with all of them, thousands after an hour's
// outage.
func TestAPullThatCannotBeSentLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{RetryWait: time.Millisecond, Timeout: time.Second})
	before := b.nc.NumSubscriptions()
	b.publish(aJob(1))
	must.Get(b.js.Publish(b.ctx, strings.TrimSuffix(job.SubjectAdvisory, ">")+job.Consumer, []byte(`{"stream_seq":1}`)))(t)
	ctx, cancel := context.WithCancel(b.ctx)
	handling := make(chan struct{})
	away := make(chan struct{})
	ended := make(chan error, 1)
	handle := sync.OnceValue(func() error { // no pull is under way meanwhile
		close(handling)
		<-away
		return errors.New("not now")
	})
	go func() {
		ended <- b.bus.Queue.ConsumeExhausted(ctx, func(context.Context, jobstream.Exhausted) error { return handle() })
	}()
	must.Receive(b.ctx, t, handling, "the advisory")
	b.servers.Stop()
	must.Until(b.ctx, t, "the server is away", func() bool { return !b.nc.IsConnected() })
	close(away)
	b.log.Await(b.ctx, t, "fetching advisories") // the first one was not sent
	cancel()
	must.Do(t, <-ended)
	must.Until(b.ctx, t, "the subscriptions of all pulls are gone", func() bool { return b.nc.NumSubscriptions() <= before })
}

// TestAClosedConnectionDoesNotPass: a closed connection does not come back, even if the
// fault for which it was closed would pass by waiting.
func TestAClosedConnectionDoesNotPass(t *testing.T) {
	t.Parallel()
	if err := fmt.Errorf("%w: %w", nats.ErrConnectionClosed, nats.ErrTimeout); jobstream.Away(err) {
		t.Errorf("%v passes by waiting", err)
	}
}
