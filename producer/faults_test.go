package main_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/disktest"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit/redistest"
)

// TestEveryoneSaysOfAFaultWhatIsSo: each fault strikes a real server under an idle
// worker. The worker's log, /readyz and metrics say that the server refuses, with the
// server's own code. producer doctor and the alert say the same. None of them says that
// the server does not answer.
func TestEveryoneSaysOfAFaultWhatIsSo(t *testing.T) {
	t.Parallel()
	well := jobstreamtest.Start(t)
	declare(t, well.NATSURL())
	for name, fault := range redistest.Faults() {
		t.Run("Redis/"+name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartFaulty(t, fault)
			w := idle(t, well.NATSURL(), s.URL())
			defer w.stop() // a clean-up would come after the end of its context
			s.Break(t)
			w.refuses(t, "redis", fault.Code, "MirrorfleetRedisRefuses")
			w.doctorSays(t, fault.Code)
			s.Heal(t)
			w.ready(t)
		})
	}
	for name, fault := range jobstreamtest.Faults() {
		t.Run("NATS/"+name, func(t *testing.T) {
			t.Parallel()
			s := jobstreamtest.StartFaulty(t, fault)
			declare(t, s.NATSURL())
			w := idle(t, s.NATSURL(), well.RedisURL())
			defer w.stop()
			s.Break(t)
			w.refuses(t, "nats", fault.Code, "MirrorfleetNATSRefuses")
			w.doctorSays(t, fault.Code)
		})
	}
}

// TestEveryoneSaysOfAFullDiskWhatIsSo: after a failed write nats-server keeps serving,
// and looks well to a client that only reads.
func TestEveryoneSaysOfAFullDiskWhatIsSo(t *testing.T) {
	t.Parallel()
	disktest.On(t, 24<<20, func(disk disktest.Disk) {
		s := jobstreamtest.StartFaultyIn(t, jobstreamtest.Fault{}, disk.Dir)
		declare(t, s.NATSURL())
		w := idle(t, s.NATSURL(), redistest.Start(t).URL())
		defer w.stop()
		disk.Fill(t)
		_, js := jobstreamtest.Connect(t, s.NATSURL(), nil)
		if _, err := js.Publish(t.Context(), "$KV.RECORDS.full.1", make([]byte, 1<<20-1)); err == nil {
			t.Fatal("a full disk has taken a megabyte")
		}
		w.refuses(t, "nats", "unconfirmed", "MirrorfleetNATSRefuses")
		w.doctorSays(t, "confirms no write")
	})
}

// TestAProducerSaysOfAFullDiskWhatIsSo: so does the display of a producer in the middle of
// a round.
func TestAProducerSaysOfAFullDiskWhatIsSo(t *testing.T) {
	t.Parallel()
	disktest.On(t, 24<<20, func(disk disktest.Disk) {
		s := jobstreamtest.StartFaultyIn(t, jobstreamtest.Fault{}, disk.Dir)
		p := conduct(t, s.NATSURL(), redistest.Start(t).URL(), alone(t)...)
		defer p.stop()
		disk.Fill(t)
		_, js := jobstreamtest.Connect(t, s.NATSURL(), nil)
		if _, err := js.Publish(t.Context(), "$KV.RECORDS.full.1", make([]byte, 1<<20-1)); err == nil {
			t.Fatal("a full disk has taken a megabyte")
		}
		p.refuses(t, "nats", "unconfirmed", "MirrorfleetNATSRefuses")
		p.displays(t, "note NATS refuses: ")
	})
}

// idler is a worker without a job.
type idler struct {
	*worker

	env []string // the servers' addresses: their passwords are no arguments
}

func idle(t *testing.T, nats, redis string) *idler {
	t.Helper()
	env := []string{"MIRRORFLEET_NATS=" + nats, "MIRRORFLEET_REDIS=" + redis}
	w := &idler{work(t, "idle", env, "--mirror", "http://127.0.0.1:1", "--limit-horizon", "1s", "--listen", "127.0.0.1:0"), env}
	w.ready(t)
	return w
}

func (w *idler) ready(t *testing.T) {
	t.Helper()
	until(t, "the worker is ready", func() bool { status, _ := page(t, w.pages, "/readyz", ""); return status == http.StatusOK })
}

// refuses checks what the worker says of a server.
func (w *idler) refuses(t *testing.T, kind, code, alert string) {
	t.Helper()
	series := `mirrorfleet_server_refuses{server_code="` + code + `",server_kind="` + kind + `"} 1`
	var metrics string
	until(t, "the metrics say that "+kind+" refuses with "+code, func() bool {
		_, metrics = page(t, w.pages, "/metrics", "")
		return strings.Contains(metrics, series) && strings.Contains(metrics, `mirrorfleet_server_answers{server_kind="`+kind+`"} 0`)
	})
	var body string
	until(t, "/readyz says that "+kind+" refuses", func() bool {
		var status int
		status, body = page(t, w.pages, "/readyz", "")
		return status == http.StatusServiceUnavailable && strings.Contains(body, ` refuses: `)
	})
	w.displays(t, `"code":"`+code+`"`)
	for line := range strings.Lines(body + "\n" + w.stderr.String()) { // before the fault, a busy machine may be late with an answer
		if strings.Contains(line, "does not answer") && strings.Contains(line, code) {
			t.Errorf("/readyz or the log says of a server that refuses that it does not answer: %s", line)
		}
	}
	fires(t, metrics, alert)
}

// doctorSays checks what producer doctor says of the servers.
func (w *idler) doctorSays(t *testing.T, code string) {
	t.Helper()
	cmd := command(t, "producer", "doctor", "--limit-horizon", "1s", "--mirror", "http://127.0.0.1:1", "--check-timeout", "10s")
	cmd.Env = append(cmd.Env, w.env...)
	out, err := cmd.CombinedOutput()
	said := strings.Join(strings.Fields(string(out)), " ")
	if code == "authorization" {
		code = "refuses the credentials"
	}
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said, code) || !strings.Contains(said, "refuses") || strings.Contains(said, "does not answer") {
		t.Errorf("%v, want exit code 1 and a refusal with %s:\n%s", err, code, out)
	}
}

// seriesOf are the series of a page whose names begin with a pattern, as promtool takes
// them. Each keeps its value for a quarter of an hour.
func seriesOf(metrics, begin string) string {
	var list strings.Builder
	for _, series := range regexp.MustCompile(`(?m)^(`+begin+`\w*)(?:\{([^}]*)\})? ([\d.]+)$`).FindAllStringSubmatch(metrics, -1) {
		list.WriteString("      - {series: '" + series[1] + `{instance="w",` + series[2] + "}', values: '" + series[3] + "x60'}\n")
	}
	return list.String()
}

// fires has Prometheus read a process's figures of its servers. It wants this alert, and
// no alert that a server does not answer.
func fires(t *testing.T, metrics, alert string) {
	t.Helper()
	alerts(t, seriesOf(metrics, "mirrorfleet_server_"), alert)
}

// alerts has Prometheus read series for five minutes. It wants this alert, and no alert
// that a server does not answer.
func alerts(t *testing.T, series, alert string) {
	t.Helper()
	promtool(t, series, `      - {expr: 'count(ALERTS{alertstate="firing",alertname="`+alert+`"})', eval_time: 5m, exp_samples: [{labels: '{}', value: 1}]}
      - {expr: 'count(ALERTS{alertstate="firing",alertname=~".*Lost"})', eval_time: 5m, exp_samples: []}
`)
}

// promtool has Prometheus read series by the rules that are shipped, and wants the tests to
// hold.
func promtool(t *testing.T, series, tests string) {
	t.Helper()
	rules := must.Get(filepath.Abs(filepath.Join("..", "deploy", "observability", "prometheus", "rules")))(t)
	test := "rule_files: [" + filepath.Join(rules, "recording.yml") + ", " + filepath.Join(rules, "alerts.yml") + "]\n" +
		"evaluation_interval: 15s\ntests:\n  - interval: 15s\n    input_series:\n" + series +
		"    promql_expr_test:\n" + tests
	path := filepath.Join(t.TempDir(), "test.yml")
	must.Do(t, os.WriteFile(path, []byte(test), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "promtool", "test", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, test)
	}
}
