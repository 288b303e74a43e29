package doctor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// waitForJobs waits at the consumer as a worker does, until the test ends.
func waitForJobs(t *testing.T, bus *jobstream.Bus) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_, _ = bus.Queue.Fetch(ctx, 1, time.Second) // an error is that the test ends
		}
	}()
	t.Cleanup(func() { stop(); <-ended })
}

// queue puts a job into the stream.
func queue(t *testing.T, bus *jobstream.Bus) {
	t.Helper()
	must.Get(bus.Records.Plan(t.Context(), job.Plan("r1", 1, "")))(t)
	must.Do(t, bus.Queue.Publish(t.Context(), job.Job{Version: job.Version, Round: "r1", UID: 1, Hotkey: "h", GitHubID: "1", AsOf: time.Now()}))
}

func workersAt(t *testing.T, url string) doctor.Finding {
	t.Helper()
	for _, check := range natsChecks(doctor.NATS{URL: url}) {
		if check.Name == "workers" {
			return run(t, check)[0]
		}
	}
	t.Fatal("nobody looks for workers")
	return doctor.Finding{}
}

// Without a worker nothing is well: it is a fault as soon as a job waits for one.
// One that is busy is seen by its signs of life, and one that died with a job is not.
func TestDoctorLooksForWorkers(t *testing.T) {
	t.Parallel()
	url := natsServer(t, synced).ClientURL()
	expect := func(what string, status doctor.Status, text string) {
		t.Helper()
		if f := workersAt(t, url); f.Status != status || !strings.Contains(f.Text, text) || (f.Code == doctor.WorkersNone) == (status == doctor.OK) {
			t.Errorf("%s: %+v, want %s: %s", what, f, status, text)
		}
	}
	expect("no streams yet", doctor.Warning, "before the first producer")
	bus, _ := jobstreamtest.Open(t, url, jobstream.Config{AckWait: 3 * time.Second})
	expect("no job and no worker", doctor.Warning, "no worker waits for a job")
	queue(t, bus)
	expect("a job and no worker", doctor.Fault, "unfinished jobs: 1")

	deliveries := must.Get(bus.Queue.Fetch(t.Context(), 1, time.Second))(t)
	record, revision, err := bus.Records.Load(t.Context(), "r1", 1)
	must.Do(t, err)
	record = must.Get(record.Claimed(job.Claim{ID: "c", Worker: "w7", Sequence: 1, Delivery: 1}))(t)
	revision = must.Get(bus.Records.Update(t.Context(), record, revision))(t)
	expect("a worker that died with a job", doctor.Fault, "unfinished jobs: 1")

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			record, err = record.Beaten("c", job.Sign{})
			if err == nil {
				revision, err = bus.Records.Update(context.WithoutCancel(ctx), record, revision)
			}
			if err != nil {
				break
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		ended <- err
	}()
	expect("a busy worker", doctor.OK, "w7 is at work")
	stop()
	must.Do(t, <-ended)
	must.Do(t, deliveries[0].Ack(t.Context()))
	waitForJobs(t, bus)
	expect("a worker that waits", doctor.OK, fmt.Sprint("workers that wait for a job: ", 1))
}
