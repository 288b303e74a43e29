package main_test

import (
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit/redistest"
)

// TestAProducerSaysOfAFaultWhatIsSo: each fault strikes a real server while a producer
// runs a round. The display, the log, /readyz, the metrics and the alert all name the
// fault. Before the fault, no worker takes the round's jobs, and display and log say so.
// The producer declares a deleted stream again and is well. In a full account it waits
// for room.
func TestAProducerSaysOfAFaultWhatIsSo(t *testing.T) {
	t.Parallel()
	well := jobstreamtest.Start(t)
	for name, fault := range redistest.Faults() {
		t.Run("Redis/"+name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartFaulty(t, fault)
			p := conduct(t, jobstreamtest.Start(t).NATSURL(), s.URL(), alone(t)...)
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
			p := conduct(t, s.NATSURL(), well.RedisURL(), alone(t)...)
			defer p.stop()
			s.Break(t)
			if name == "stream gone" {
				p.displays(t, "declared again, empty")
				p.ready(t)
				return
			}
			p.refuses(t, "nats", fault.Code, "MirrorfleetNATSRefuses")
			p.displays(t, "note NATS refuses: ")
			if name == "account full" { // the round waits for room
				s.MakeRoom(t)
				p.ready(t)
			}
		})
	}
}

// conduct starts a producer of a round without workers, and waits until the producer has
// said that no worker takes its jobs. That takes a third of the lease, and two seconds.
func conduct(t *testing.T, nats, redis string, inputs ...string) *idler {
	t.Helper()
	cmd := command(t, "producer", append([]string{"run", "--limit-horizon", "1s", "--lease", "3s", "--listen", "127.0.0.1:0"}, inputs...)...)
	env := []string{"MIRRORFLEET_NATS=" + nats, "MIRRORFLEET_REDIS=" + redis}
	cmd.Env = append(cmd.Env, env...)
	p := &idler{&worker{stderr: watch("note no worker takes the round's jobs: none has shown itself for ")}, env}
	cmd.Stderr = p.stderr
	must.Do(t, cmd.Start())
	p.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Kill) // another test looks at its words after a signal
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

// tells waits until a process's metrics have a line that begins so, and returns them.
func (w *worker) tells(t *testing.T, begin string) (metrics string) {
	t.Helper()
	line := regexp.MustCompile("(?m)^" + begin)
	until(t, "the metrics have "+begin, func() bool {
		_, metrics = page(t, w.pages, "/metrics", "")
		return line.MatchString(metrics)
	})
	return metrics
}

// displays waits for a text in a producer's output: its display and its log.
func (w *idler) displays(t *testing.T, want string) {
	t.Helper()
	until(t, "the output has "+want, func() bool { return strings.Contains(w.stderr.String(), want) })
}

// TestAProducerSaysWhyARoundStands: an operator holds the egress, the mirror asks for a
// pause, or the mirror is away. Each happens to real servers under a real producer and
// worker. The display, the log, the metrics and doctor say what stops the round, and for
// how long. The processes stay ready, because they need no help. An alert fires only if
// somebody must act.
func TestAProducerSaysWhyARoundStands(t *testing.T) {
	t.Parallel()
	t.Run("a hold", func(t *testing.T) {
		t.Parallel()
		p := conduct(t, jobstreamtest.Start(t).NATSURL(), redistest.Start(t).URL(), alone(t)...)
		defer p.stop()
		_, metrics := page(t, p.pages, "/metrics", "")
		alerts(t, seriesOf(metrics, "mirrorfleet_job_queue_size"), "MirrorfleetNoWorkers")
		if out, err := p.producer(t, "limit", "--hold", "10m", "--reason", "the mirror moves"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		p.displays(t, "note the egress is held by hand for another ")
		p.displays(t, `"reason":"the mirror moves"`)
		p.pauses(t, "hold")
		p.ready(t)
		p.keepsQuiet(t, "hold")
	})
	t.Run("a cool-down", func(t *testing.T) {
		t.Parallel()
		server, inputs := narrow(t)
		p := conduct(t, jobstreamtest.Start(t).NATSURL(), redistest.Start(t).URL(), inputs...)
		defer p.stop()
		w := work(t, "over", p.env, "--mirror", server.URL, "--limit-horizon", "1s", "--listen", "127.0.0.1:0")
		defer w.stop()
		p.displays(t, "note the egress cools down for another ")
		p.pauses(t, "cool_down")
		p.ready(t)
		// The producer may meet the first pause, when it asks for the issues of all miners.
		until(t, "the worker's log says that the mirror asks for a pause", func() bool {
			return strings.Contains(w.stderr.String(), `"msg":"the mirror asks for a pause`)
		})
		metrics := w.tells(t, `mirrorfleet_mirror_throttled_total\S* [1-9]`)
		alerts(t, seriesOf(metrics, "mirrorfleet_mirror_throttled_total"), "MirrorfleetLimitExceeded")
	})
	t.Run("a mirror that is away", func(t *testing.T) {
		t.Parallel()
		server, inputs := sound(t)
		p := conduct(t, jobstreamtest.Start(t).NATSURL(), redistest.Start(t).URL(), append(inputs, "--mirror", server.URL)...)
		defer p.stop()
		must.Do(t, server.Close())
		w := work(t, "asks", p.env, "--mirror", server.URL, "--limit-horizon", "1s", "--listen", "127.0.0.1:0")
		defer w.stop()
		p.displays(t, "note the mirror does not answer (")
		p.ready(t)
		// The producer may meet it first.
		until(t, "the worker's log names its breaker", func() bool { return strings.Contains(w.stderr.String(), "breaker") })
		metrics := w.tells(t, `mirrorfleet_mirror_breaker_state\{[^}]*mirror_breaker_state="closed"[^}]*\} 0`)
		queue := p.tells(t, `mirrorfleet_job_queue_size\S* [1-9]`)
		alerts(t, seriesOf(metrics, "mirrorfleet_mirror_breaker_state")+seriesOf(queue, "mirrorfleet_job_queue_size"), "MirrorfleetBreakerOpen")
		out, _ := p.producer(t, "doctor", "--mirror", server.URL, "--limit-horizon", "1s", "--check-timeout", "10s")
		if !strings.Contains(out, "mirror-unreachable") {
			t.Errorf("producer doctor does not say that the mirror is away:\n%s", out)
		}
	})
}

// keepsQuiet has Prometheus read the figures of a producer whose egress stands still on
// purpose, and of a worker that waits. No alert fires, though jobs wait and the limit is not
// used; without the pause in the figures the alert of that does.
func (w *idler) keepsQuiet(t *testing.T, kind string) {
	t.Helper()
	_, metrics := page(t, w.pages, "/metrics", "")
	idle := seriesOf(metrics, "mirrorfleet_limit_(?:used|allowed)") + seriesOf(metrics, "mirrorfleet_job_queue_") +
		"      - {series: 'mirrorfleet_workers{instance=\"w\"}', values: '1x60'}\n"
	pause := seriesOf(metrics, "mirrorfleet_limit_pause_")
	if !strings.Contains(pause, kind) {
		t.Fatalf("the metrics tell of no %s:\n%s", kind, metrics)
	}
	const expr = `      - {expr: 'count by (alertname) (ALERTS{alertstate="firing"})', eval_time: 14m, exp_samples: [`
	promtool(t, idle+pause, expr+"]}\n")
	promtool(t, idle, expr+`{labels: '{alertname="MirrorfleetLimitIdle"}', value: 1}]}`+"\n")
}

// narrow serves four miners behind a limit of one request in four seconds. The fleet does
// not know this limit.
func narrow(t *testing.T) (server *mirrorsim.Server, inputs []string) {
	t.Helper()
	world := demo(t)
	world.Fails, world.Miners = nil, world.Miners[:4]
	server = must.Get(mirrorsim.Start(t.Context(), mirrorsim.Config{World: world, Limit: 1, Window: 4 * time.Second}))(t)
	t.Cleanup(func() { _ = server.Close() })
	miners, registry, err := world.Write(t.TempDir())
	must.Do(t, err)
	return server, []string{
		"--mirror", server.URL, "--as-of", world.AsOf.Format(time.RFC3339Nano), "--miners", miners, "--registry", registry,
	}
}

// producer runs one of the producer's commands on the same servers.
func (w *idler) producer(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	cmd := command(t, "producer", args...)
	cmd.Env = append(cmd.Env, w.env...)
	both, err := cmd.CombinedOutput()
	return string(both), err
}

// pauses checks what the metrics and producer doctor say of an egress that stands still.
func (w *idler) pauses(t *testing.T, kind string) {
	t.Helper()
	w.tells(t, `mirrorfleet_limit_pause_seconds\{[^}]*limit_pause="`+kind+`"[^}]*\} [1-9]`)
	until(t, "producer doctor says that the egress stands still", func() bool { // a cool-down may end before it looks
		out, _ := w.producer(t, "doctor", "--limit-horizon", "1s", "--mirror", "http://127.0.0.1:1", "--check-timeout", "10s")
		return strings.Contains(out, "limit-stopped")
	})
}
