package jobstream_test

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// TestAFaultOfNATSIsARefusal: a server that answers and confirms nothing counts as
// refusing. An idle process that checks it, and doctor, get its code and its remedy. The
// log has one line.
func TestAFaultOfNATSIsARefusal(t *testing.T) {
	t.Parallel()
	for name, fault := range jobstreamtest.Faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s := jobstreamtest.StartFaulty(t, fault)
			jobstreamtest.Open(t, s.NATSURL(), jobstream.Config{})
			var log telemetrytest.Log
			bus, nc := jobstreamtest.Open(t, s.NATSURL(), jobstream.Config{Role: jobstream.RoleWorker, Log: log.Logger()})
			check := func() error {
				ctx, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				return bus.Check(ctx)
			}
			must.Do(t, check())

			s.Break(t)
			must.Until(ctx, t, "the check refuses", func() bool { return jobstream.Code(check()) == fault.Code })
			said := map[string]error{"the check": check()}
			if nc.IsConnected() {
				brief, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				said["the trial"] = jobstream.TryWrite(brief, nc, jobstream.RoleWorker)
			}
			if n, silent := log.Count(`msg="NATS refuses`), log.Count("does not answer"); n != 1 || silent != 0 {
				t.Errorf("the log says %d times that it refuses and %d times that it is silent, want once and never:\n%s", n, silent, log.String())
			}
			for who, err := range said {
				if jobstream.Code(err) != fault.Code || !strings.Contains(err.Error(), "NATS refuses: ") {
					t.Errorf("%s: got %v, want that NATS refuses with %s", who, err, fault.Code)
				}
			}
		})
	}
}

// TestACheckRestores: like any other write, a check makes a producer declare missing
// streams again.
func TestACheckRestores(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	must.Do(t, b.js.DeleteStream(b.ctx, "KV_"+job.BucketRecords))
	must.Do(t, b.bus.Check(b.ctx))
	b.log.Await(b.ctx, t, "it was gone")
	must.Get(b.js.Stream(b.ctx, "KV_"+job.BucketRecords))(t)
}

// TestACheckIsOfNoRound: a check writes one small value to each bucket, under a key that
// belongs to no round, however often it runs.
func TestACheckIsOfNoRound(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	for range 3 {
		must.Do(t, b.bus.Check(b.ctx))
		must.Do(t, jobstream.TryWrite(b.ctx, b.nc, jobstream.RoleProducer))
		must.Do(t, jobstream.TryWrite(b.ctx, b.nc, jobstream.RoleWorker))
	}
	for _, bucket := range []string{job.BucketRecords, job.BucketRounds, job.BucketEvaluation} {
		if info := must.Get(must.Get(b.js.Stream(b.ctx, "KV_"+bucket))(t).Info(b.ctx))(t); info.State.Msgs != 1 || info.State.Bytes > 200 {
			t.Errorf("%s holds %d messages of %d bytes, want a small one", bucket, info.State.Msgs, info.State.Bytes)
		}
	}
	if left := must.Get(b.bus.Rounds.Left(b.ctx))(t); len(left) != 0 {
		t.Errorf("rounds %v, want none", left)
	}
	if rounds := must.Get(b.bus.Rounds.List(b.ctx))(t); len(rounds) != 0 {
		t.Errorf("rounds %v, want none", rounds)
	}
}

// TestNotConnectedSaysWhy: after the start, a process waits for a server that refuses it.
// Check tells such a server from one that is away.
func TestNotConnectedSaysWhy(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"NATS does not answer: not connected": nil, "NATS refuses: nats: authentication expired": nats.ErrAuthExpired,
		"NATS does not answer: not connected: refused": errors.New("refused"), "--nats-ca": x509.UnknownAuthorityError{},
	} {
		got := jobstream.NotConnected(err)
		if !strings.Contains(got.Error(), want) {
			t.Errorf("%v: got %v, want %q", err, got, want)
		}
		if again := jobstream.Trouble(got); again.Error() != got.Error() {
			t.Errorf("said again it is %q, want %q", again, got)
		}
	}
}
