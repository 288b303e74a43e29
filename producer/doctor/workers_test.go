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

// What runs now is compared, by its own word: neither those that have left nor those that
// are silent count, and one version has many processes.
func TestVersionsThatRun(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	process := func(name, build string, ago time.Duration, left string) jobstream.Present {
		return jobstream.Present{Worker: job.Worker{Name: name, Build: build, Left: left}, Process: name, Stored: now.Add(-ago)}
	}
	producer := func(build string, ago time.Duration, left string) []jobstream.PresentProducer {
		return []jobstream.PresentProducer{{Producer: job.Producer{Name: "serve-1", Build: build, Left: left}, Process: "p", Stored: now.Add(-ago)}}
	}
	old := process("w-old", "v1", time.Second, "")
	for _, c := range []struct {
		name   string
		own    string
		roll   []jobstream.Present
		serve  []jobstream.PresentProducer
		status doctor.Status
		text   string
	}{
		{"none", "v2", nil, nil, doctor.OK, "no process"},
		{"one that has left", "v2", []jobstream.Present{process("w", "v1", time.Second, "stopped")}, nil, doctor.OK, "no process"},
		{"one that is silent", "v2", []jobstream.Present{process("w", "v1", job.WorkerSilent, "")}, nil, doctor.OK, "no process"},
		{"all alike", "v1", []jobstream.Present{old, process("w2", "v1", 0, "")}, nil, doctor.OK, "version v1: 2 processes"},
		{"another than this program", "v2", []jobstream.Present{old}, nil, doctor.Warning, "v1 (w-old), v2 (this program)"},
		{"two", "", []jobstream.Present{process("w", "v2", 0, ""), old}, nil, doctor.Warning, "v1 (w-old), v2 (w)"},
		{"a producer of another", "", []jobstream.Present{old}, producer("v2", 0, ""), doctor.Warning, "v1 (w-old), v2 (producer serve-1)"},
		{"a producer alike", "v1", []jobstream.Present{old}, producer("v1", 0, ""), doctor.OK, "version v1: 2 processes"},
		{"a producer that has left", "v1", []jobstream.Present{old}, producer("v2", 0, "stopped"), doctor.OK, "version v1: 1 process"},
		{"a silent producer alone", "v1", nil, producer("v2", job.WorkerSilent, ""), doctor.OK, "no process"},
		{
			"many", "v2", []jobstream.Present{process("e", "v1", 0, ""), process("b", "v1", 0, ""), process("c", "v1", 0, ""), process("d", "v1", 0, ""), process("a", "v1", 0, ""), process("f", "v1", 0, "")}, nil,
			doctor.Warning, "v1 (a, b, c, d, e and 1 more), v2 (this program)",
		},
	} {
		f := doctor.JudgeVersions(jobstream.Roll{Workers: c.roll, Now: now}, jobstream.ProducerRoll{Producers: c.serve, Now: now}, c.own)[0]
		if f.Status != c.status || !strings.Contains(f.Text, c.text) || (f.Code == doctor.VersionsDiffer) != (c.status == doctor.Warning) {
			t.Errorf("%s: %+v, want %s: %s", c.name, f, c.status, c.text)
		}
	}
}
