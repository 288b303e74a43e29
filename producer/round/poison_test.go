package round_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/worker/lease"
)

// workerEnv makes the test's own binary a worker on the NATS that the variable names.
const workerEnv = "MIRRORFLEET_TEST_WORKER"

// workAsProcess is a worker that miner 1's job kills from inside, as a crash in a parser
// or the kernel's out-of-memory killer does. No process is left to report it. The worker
// ends with its standard input.
func workAsProcess(url string) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	quiet := slog.New(slog.DiscardHandler)
	nc, err := jobstream.Connect(ctx, url, "worker", jobstream.ConnectConfig{Log: quiet})
	if err != nil {
		return err
	}
	defer nc.Close()
	bus, err := jobstream.Open(ctx, nc, jobstream.Config{Log: quiet})
	if err != nil {
		return err
	}
	runner, err := lease.New(lease.Config{
		Worker: fmt.Sprintf("process-%d", os.Getpid()), Bus: bus, Slots: 1, Grace: time.Millisecond, FetchWait: 50 * time.Millisecond, Log: quiet,
		Handler: func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
			if j.UID == 1 {
				return job.Evaluation{}, syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			return always(ctx, j, a)
		},
	})
	if err != nil {
		return err
	}
	return runner.Run(ctx)
}

// keepWorking replaces a worker process whenever it dies, until ctx ends. It counts the
// deaths by SIGKILL.
func (b *bundle) keepWorking(ctx context.Context, t *testing.T) (killed int) {
	t.Helper()
	for ctx.Err() == nil {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), workerEnv+"="+b.nats)
		cmd.Stderr = os.Stderr
		stdin, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Error(err)
			return killed
		}
		stop := context.AfterFunc(ctx, func() { stdin.Close() })
		err = cmd.Wait()
		stop()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
			killed++
		} else if err != nil {
			t.Errorf("a worker process ended by itself: %v", err)
			return killed
		}
	}
	return killed
}

// A job that kills every process becomes a dead letter when its deliveries are used up,
// although no process lives to report it. The other miners lose nothing. A replay without
// the cause heals it.
func TestAJobThatKillsItsWorkersIsBuried(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: time.Second, MaxDeliver: 3})
	m := b.plan(t, four()...)
	ctx, stop := context.WithCancel(deadline(t))
	deaths := make(chan int, 1)
	go func() { deaths <- b.keepWorking(ctx, t) }()
	got, err := b.runner(t).Start(ctx, m)
	stop()
	killed := <-deaths
	must.Do(t, err)
	if got.Done != 1 || len(got.DeadLetters) != 1 || got.DeadLetters[0].UID != 1 || got.DeadLetters[0].Class != job.Poison {
		t.Errorf("done %d, dead letters %+v; want miner 2 done and miner 1 poison", got.Done, got.DeadLetters)
	}
	// On a busy machine a lease may run out before its process claims.
	if letter := got.DeadLetters[0]; killed < 1 || killed > 3 || letter.Attempts != killed || letter.Worker == "" {
		t.Errorf("%d attempts, the last by %q, and %d processes died; want as many, 3 at most", letter.Attempts, letter.Worker, killed)
	}
	b.holds(t, m.Round)
	b.work(t, always)
	healed, _, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{Class: job.Poison})
	must.Do(t, err)
	if !healed.Complete || healed.Revision != 2 {
		t.Errorf("replayed: complete %v, revision %d", healed.Complete, healed.Revision)
	}
	b.holds(t, m.Round)
}
