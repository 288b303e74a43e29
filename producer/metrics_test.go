package main_test

import (
	"io"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/deploy/observability"
	"mirrorfleet/shared/must"
)

// readOften reads a producer's metrics again and again while it runs, as Prometheus does.
// The function that it returns ends this and gives the last answer.
func (s *seeing) readOften(t *testing.T, said *watched) (stop func()) {
	t.Helper()
	ended, done := make(chan struct{}), make(chan struct{})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	go func() {
		defer close(done)
		select {
		case <-said.seen:
		case <-ended:
			return
		}
		_, after, _ := strings.Cut(said.String(), `"address":"`)
		address, _, _ := strings.Cut(after, `"`)
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for {
			if response, err := client.Get("http://" + address + "/metrics"); err == nil {
				if text, err := io.ReadAll(response.Body); err == nil {
					s.ofProducer = string(text)
				}
				_ = response.Body.Close()
			}
			select {
			case <-ticker.C:
			case <-ended:
				return
			}
		}
	}()
	return func() { close(ended); <-done }
}

// rare are metrics that this round does not produce, each with the reason.
var rare = []string{
	"mirrorfleet_audit_mended_total",             // nothing was lost
	"mirrorfleet_limit_state_losses_total",       // nor did Redis lose anything
	"mirrorfleet_limit_redis_lost_answers_total", // and it answered
	"mirrorfleet_limit_cool_downs_total",         // the mirror asked for no pause
	"mirrorfleet_round_duration_seconds",         // this producer is gone when its round has ended
	"mirrorfleet_round_last_success_seconds",     // the round lacked something
	"mirrorfleet_limit_refusals_total",           // nobody had to be told to ask again
	"mirrorfleet_server_refuses",                 // no server refused: TestEveryoneSaysOfAFaultWhatIsSo
	"mirrorfleet_storage_used_bytes",             // no limit is told here: fleet.TestAProducerTellsOfTheStorage
	"mirrorfleet_storage_limit_bytes",            // nor there
	"mirrorfleet_nats_silent",                    // the local server is not asked: as above
	"mirrorfleet_gateway_waiting",                // of the gateway alone: mirrorgate.TestTheGatewayRuns
	"mirrorfleet_gateway_wait_duration_seconds",  // and so is this
	"mirrorfleet_warm_up_miners_total",           // of a warm-up: TestAWarmUpSparesTheRoundItsFiles
	"mirrorfleet_warm_up_pull_requests_total",    // and so is this
	"mirrorfleet_round_put_off",                  // of `serve` alone: TestTheValidatorReplacesItsTokens
	"mirrorfleet_round_fell_out",                 // of `serve` alone: TestAMinerFallsOut
}

// declared wants the metrics of a real round to be well formed, and to be those of the
// table in docs/observability.md with their labels. Each label has every value that a
// rule or a dashboard uses.
func (s *seeing) declared(t *testing.T) {
	t.Helper()
	root := ".."
	declared := must.Get(observability.ReadDeclared(root))(t)
	seen := map[string]map[string]map[string]bool{} // name → label → values
	for of, page := range map[string]string{"worker": s.metrics, "producer": s.ofProducer} {
		checkFormat(t, of, page)
		for name, labels := range series(page) {
			if seen[name] == nil {
				seen[name] = map[string]map[string]bool{}
			}
			allowed := declared.Of(name)
			if allowed == nil {
				t.Errorf("the %s tells %s, which docs/observability.md does not have", of, name)
			}
			for label, values := range labels {
				if seen[name][label] == nil {
					seen[name][label] = map[string]bool{}
				}
				maps.Copy(seen[name][label], values)
				if label != "le" && !allowed[label] {
					t.Errorf("the %s tells %s with label %s, which docs/observability.md does not have", of, name, label)
				}
			}
		}
	}
	for name := range declared.Labels {
		if seen[name] == nil && seen[name+"_count"] == nil && !slices.Contains(rare, name) {
			t.Errorf("nobody told %s, which docs/observability.md has", name)
		}
	}
	queries := must.Get(observability.Queries(filepath.Join(root, "deploy", "observability")))(t)
	for _, q := range queries {
		selectors, _ := q.Selectors()
		for _, asked := range selectors {
			for label, value := range asked.Labels {
				if value != "" && seen[asked.Metric] != nil && !seen[asked.Metric][label][value] {
					t.Errorf("%s asks for %s with %s=%q, which nobody told", q.Where, asked.Metric, label, value)
				}
			}
		}
	}
	if t.Failed() {
		t.Log(s.metrics, s.ofProducer)
	}
}

// checkFormat has promtool read a page.
func checkFormat(t *testing.T, of, page string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(page)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("promtool check metrics, the %s's (apt-get install --no-install-recommends prometheus): %v\n%s", of, err, out)
	}
}

// ours are the series of a page without those of the Go runtime.
var (
	ours  = regexp.MustCompile(`(?m)^((?:mirrorfleet|http_client|messaging)_[a-z0-9_]+)(?:\{(.*)\})? `)
	label = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)
)

// series reads a page: the values of each label by metric.
func series(page string) map[string]map[string]map[string]bool {
	all := map[string]map[string]map[string]bool{}
	for _, line := range ours.FindAllStringSubmatch(page, -1) {
		if all[line[1]] == nil {
			all[line[1]] = map[string]map[string]bool{}
		}
		for _, l := range label.FindAllStringSubmatch(line[2], -1) {
			if all[line[1]][l[1]] == nil {
				all[line[1]][l[1]] = map[string]bool{}
			}
			all[line[1]][l[1]][l[2]] = true
		}
	}
	return all
}
