package main_test

import (
	"os"
	"strings"
	"sync"
	"testing"

	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit/redistest"
)

// TestAProducerSaysOfAFaultWhatIsSo: each fault befalls a real server under a producer
// that runs a round. Its display says so, as do its log, /readyz, the metrics and the
// alert. Before that no worker takes the round's jobs, which the display and the log
// say, too. A stream that is gone the producer declares again, and is well.
func TestAProducerSaysOfAFaultWhatIsSo(t *testing.T) {
	t.Parallel()
	well := jobstreamtest.Start(t)
	for name, fault := range redistest.Faults() {
		t.Run("Redis/"+name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartFaulty(t, fault)
			p := conduct(t, jobstreamtest.Start(t).NATSURL(), s.URL())
			defer p.stop()
			s.Break(t)
			p.refuses(t, "redis", fault.Code, "MirrorfleetRedisRefuses")
			p.displays(t, "mirror nothing is sent: Redis refuses: "+fault.Code)
		})
	}
	for name, fault := range jobstreamtest.Faults() {
		t.Run("NATS/"+name, func(t *testing.T) {
			t.Parallel()
			s := jobstreamtest.StartFaulty(t, fault)
			p := conduct(t, s.NATSURL(), well.RedisURL())
			defer p.stop()
			s.Break(t)
			switch name {
			case "stream gone":
				p.displays(t, "declared again, empty")
				p.ready(t)
			case "account full": // which ends the run at its next sign of life; the round is to be resumed
				p.displays(t, `"msg":"NATS refuses what is asked of it"`)
				p.displays(t, "note NATS refuses: ")
				p.displays(t, "producer: round ")
			default:
				p.refuses(t, "nats", fault.Code, "MirrorfleetNATSRefuses")
				p.displays(t, "note NATS refuses: ")
			}
		})
	}
}

// conduct starts a producer of a round that no worker takes, and waits until it has
// said so.
func conduct(t *testing.T, nats, redis string) *idler {
	t.Helper()
	cmd := command(t, "producer", append([]string{"run", "--limit-horizon", "1s", "--listen", "127.0.0.1:0"}, alone(t)...)...)
	env := []string{"MIRRORFLEET_NATS=" + nats, "MIRRORFLEET_REDIS=" + redis}
	cmd.Env = append(cmd.Env, env...)
	p := &idler{&worker{stderr: watch("note no worker takes the round's jobs: none has shown itself for ")}, env}
	cmd.Stderr = p.stderr
	must.Do(t, cmd.Start())
	p.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Kill) // what it says after a signal has its own test
		_ = cmd.Wait()
	})
	t.Cleanup(p.stop)
	must.Receive(t.Context(), t, p.stderr.seen, "what the display says of workers")
	p.displays(t, `"msg":"no worker takes the jobs of the round"`)
	_, after, _ := strings.Cut(p.stderr.String(), `"address":"`)
	p.pages, _, _ = strings.Cut(after, `"`)
	p.ready(t)
	return p
}

// displays waits for what a producer writes: its display and its log.
func (w *idler) displays(t *testing.T, want string) {
	t.Helper()
	until(t, "the output has "+want, func() bool { return strings.Contains(w.stderr.String(), want) })
}
