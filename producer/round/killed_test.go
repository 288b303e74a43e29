package round_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/worker/lease"
)

// producerEnv makes the test's own binary a producer. It names NATS, Redis and the
// mirror, and the manifest comes on standard input.
const producerEnv = "MIRRORFLEET_TEST_PRODUCER"

// replayEnv, if it is set, makes that producer replay the round's failed miners.
const replayEnv = "MIRRORFLEET_TEST_REPLAY"

// cancelEnv makes it cancel the round, or the replay of it that is open, if it is set.
const cancelEnv = "MIRRORFLEET_TEST_CANCEL"

// forgetEnv makes it remove old rounds instead, if it is set.
const forgetEnv = "MIRRORFLEET_TEST_FORGET"

// produceAsProcess brings a round to its end from any state.
func produceAsProcess(addresses string) error {
	ctx, quiet := context.Background(), slog.New(slog.DiscardHandler)
	var m job.Manifest
	if err := json.NewDecoder(os.Stdin).Decode(&m); err != nil {
		return err
	}
	at := strings.Split(addresses, " ")
	nc, err := jobstream.Connect(ctx, at[0], "producer", jobstream.ConnectConfig{Log: quiet})
	if err != nil {
		return err
	}
	defer nc.Close()
	bus, err := jobstream.Open(ctx, nc, jobstream.Config{Log: quiet})
	if err != nil {
		return err
	}
	rdb, err := ratelimit.NewClient(at[1], time.Second)
	if err != nil {
		return err
	}
	defer rdb.Close()
	limiter, err := ratelimit.New(ratelimit.Config{Limit: 1_000_000, Horizon: 10 * time.Millisecond, Log: quiet}, rdb)
	if err != nil {
		return err
	}
	defer limiter.Close()
	client, err := mirror.New(mirror.Config{BaseURL: at[2], Meter: limiter, Log: quiet})
	if err != nil {
		return err
	}
	defer client.Close()
	// A producer is started only when the former one is gone, so it is the only one.
	// Other tests hold how a hold runs out. A short hold would be lost to a stall.
	runner, err := round.New(round.Config{Bus: bus, Mirror: client, Takeover: 10 * time.Second, SoleProducer: true, Reconcile: 100 * time.Millisecond})
	if err != nil {
		return err
	}
	fmt.Println("ready") //nolint:forbidigo // to the test that started it
	if os.Getenv(forgetEnv) != "" {
		_, err = round.Forget(ctx, round.Config{Bus: bus, Mirror: client, Takeover: time.Second}, 24*time.Hour, time.Now())
		return err
	}
	if os.Getenv(replayEnv) != "" {
		_, _, err = runner.Replay(ctx, m.Round, outcome.Selection{})
		return err
	}
	if os.Getenv(cancelEnv) != "" {
		return cancelAsProcess(ctx, bus, runner, m.Round)
	}
	_, err = runner.Start(ctx, m)
	if errors.Is(err, jobstream.ErrExists) {
		_, err = runner.Resume(ctx, m.Round)
	}
	return err
}

// cancelAsProcess cancels a round. One that is cancelled and concluded already is as it
// should be.
func cancelAsProcess(ctx context.Context, bus *jobstream.Bus, runner *round.Runner, name string) error {
	order := job.CancelOrder{By: "an operator", At: time.Now(), Reason: "a trial"}
	c, err := round.OrderCancel(ctx, bus, name, order)
	if errors.Is(err, round.ErrCancel) {
		_, err = runner.Resume(ctx, name)
		return err
	}
	if err != nil {
		return err
	}
	return runner.FollowCancel(ctx, c)
}

// produce runs a producer process and kills it after a while, 0 for never; true
// if it brought the round to its end. Its environment has the variables, too.
func (b *bundle) produce(t *testing.T, m job.Manifest, after time.Duration, env ...string) bool {
	t.Helper()
	data, err := json.Marshal(m)
	must.Do(t, err)
	ctx := deadline(t)
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^$")
	cmd.Env = append(append(os.Environ(), env...), fmt.Sprintf("%s=%s %s %s", producerEnv, b.nats, b.redis, b.url))
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(data)), os.Stderr
	stdout, err := cmd.StdoutPipe()
	must.Do(t, err)
	must.Do(t, cmd.Start())
	lines := bufio.NewReader(stdout)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Errorf("the producer was never ready: %v", err)
	}
	if after > 0 {
		kill := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
	}
	_, _ = io.Copy(io.Discard, lines)
	err = cmd.Wait()
	if ctx.Err() != nil {
		t.Fatalf("a producer did not end: %v", context.Cause(ctx))
	}
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
		t.Fatalf("a producer ended by itself: %v", err)
	}
	return err == nil
}

// A producer is killed at any instant, and another follows. In the end every miner is
// evaluated once, and the outcome is the undisturbed one. The instants are drawn from a
// seed; the steps that they hit differ from run to run.
func TestAProducerKilledAtAnyInstantIsFollowed(t *testing.T) {
	t.Parallel()
	var miners []input.Miner
	for uid := range 60 {
		miners = append(miners, input.Miner{UID: uid + 1, Hotkey: fmt.Sprint("h", uid), GitHubID: fmt.Sprint(1000 + uid)})
	}
	calm := setup(t, jobstream.Config{})
	calm.work(t, always)
	want, err := calm.runner(t).Start(deadline(t), calm.plan(t, miners...))
	must.Do(t, err)

	b := setup(t, jobstream.Config{})
	var mu sync.Mutex
	times := map[int]int{}
	b.work(t, func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		mu.Lock()
		times[j.UID]++
		mu.Unlock()
		return always(ctx, j, a)
	}, func(c *lease.Config) { c.Slots = 2 })
	m := b.plan(t, miners...)
	rng, kills := rand.New(rand.NewPCG(7, 7)), 0
	for kills < 8 && !b.produce(t, m, time.Duration(1+rng.IntN(120))*time.Millisecond) {
		kills++
	}
	t.Logf("killed %d times", kills)
	b.produce(t, m, 0) // also when it is concluded: that changes nothing
	got, err := outcome.Latest(t.Context(), b.bus, m.Round)
	must.Do(t, err)
	if !got.Complete || got.Revision != 1 || bytesOf(t, got.Outcome) != bytesOf(t, want.Outcome) {
		t.Errorf("complete %v, revision %d, or another outcome than the undisturbed one", got.Complete, got.Revision)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, miner := range miners {
		if times[miner.UID] != 1 {
			t.Errorf("miner %d was evaluated %d times", miner.UID, times[miner.UID])
		}
	}
	b.holds(t, m.Round)
}
