package fleet_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v3"
	"go.opentelemetry.io/otel"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// What the servers say of the whole fleet is in the metrics of any process:
// nothing but their absence until they are found, and again when they go.
func TestEveryProcessTellsOfTheServers(t *testing.T) { //nolint:paralleltest // the meter provider is the process's
	before := otel.GetMeterProvider()
	t.Cleanup(func() { otel.SetMeterProvider(before) })
	cfg, stop := servers(t)
	asCommand(t, func(ctx context.Context, c *cli.Command) error {
		observed, err := fleet.Observe(ctx, c, "worker", "one", slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer observed.Close()
		page := func() string { _, body := nettest.Get(t, "http://"+observed.Addr()+"/metrics"); return body } //nolint:contextcheck // by the test's own
		wants(t, "at the start", page(), map[string]bool{
			`mirrorfleet_server_answers{server_kind="nats"} 0`:  true,
			`mirrorfleet_server_answers{server_kind="redis"} 0`: true, "mirrorfleet_job_queue_size": false,
		})
		f, err := fleet.Open(ctx, cfg)
		if err != nil {
			return err
		}
		defer f.Close()
		observed.Follow(f)
		if _, err := f.Limiter.Permit(ctx); err != nil {
			return err
		}
		wants(t, "before any round", page(), map[string]bool{"mirrorfleet_round_last_conclusion_seconds": false})
		for _, complete := range []bool{true, false} { // the second is a minute later
			at := time.Unix(1_800_000_000, 0)
			if !complete {
				at = at.Add(time.Minute)
			}
			if err := f.Bus.Schedule.RecordConclusion(ctx, at, complete); err != nil {
				return err
			}
		}
		wants(t, "with its servers", page(), map[string]bool{
			"mirrorfleet_round_last_success_seconds 1.8e+09": true, "mirrorfleet_round_last_conclusion_seconds 1.80000006e+09": true,
			`mirrorfleet_server_answers{server_kind="nats"} 1`:  true,
			`mirrorfleet_server_answers{server_kind="redis"} 1`: true,
			"mirrorfleet_job_queue_size 0":                      true, "mirrorfleet_job_queue_waiting 0": true,
			"mirrorfleet_job_queue_age_seconds 0": true, "mirrorfleet_job_dead_letters_total 0": true,
			`mirrorfleet_limit_allowed{limit_egress="default"} 50`:                              true,
			`mirrorfleet_limit_worst{limit_egress="default"} 1`:                                 true,
			`mirrorfleet_limit_pause_seconds{limit_egress="default",limit_pause="hold"} 0`:      true,
			`mirrorfleet_limit_pause_seconds{limit_egress="default",limit_pause="cool_down"} 0`: true,
		})
		stop()
		// A permit that was granted a moment ago is believed for as long.
		must.Until(ctx, t, "Redis is missed", func() bool { return strings.Contains(page(), `mirrorfleet_server_answers{server_kind="redis"} 0`) })
		wants(t, "without them", page(), map[string]bool{
			`mirrorfleet_server_answers{server_kind="nats"} 0`:  true,
			`mirrorfleet_server_answers{server_kind="redis"} 0`: true,
			"mirrorfleet_job_queue_size":                        false, "mirrorfleet_limit_used": false, "mirrorfleet_server_refuses": false,
		})
		return nil
	})
}

// TestAProducerTellsOfTheStorage: what JetStream has stored and may store, of the account
// and of the server, where either has a limit; and that no server is silent.
func TestAProducerTellsOfTheStorage(t *testing.T) { //nolint:paralleltest // as above
	before := otel.GetMeterProvider()
	t.Cleanup(func() { otel.SetMeterProvider(before) })
	server := jobstreamtest.StartFaulty(t, jobstreamtest.Faults()["account full"])
	cfg, _ := servers(t)
	cfg.NATS = server.NATSURL()
	asCommand(t, func(ctx context.Context, c *cli.Command) error {
		observed, err := fleet.Observe(ctx, c, "producer", "one", slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer observed.Close()
		f, err := fleet.Open(ctx, cfg)
		if err != nil {
			return err
		}
		defer f.Close()
		observed.Follow(f)
		page := func() string { _, body := nettest.Get(t, "http://"+observed.Addr()+"/metrics"); return body } //nolint:contextcheck // by the test's own
		wants(t, "with a limit of the server", page(), map[string]bool{
			"mirrorfleet_nats_silent 0":                                        true,
			`mirrorfleet_storage_limit_bytes{storage_of="n1"} 1.073741824e+09`: true, `mirrorfleet_storage_used_bytes{storage_of="n1"}`: true,
			`mirrorfleet_storage_limit_bytes{storage_of="account"}`: false,
		})
		server.Break(t)
		wants(t, "with one of the account", page(), map[string]bool{
			`mirrorfleet_storage_limit_bytes{storage_of="account"} 1`: true, `mirrorfleet_storage_used_bytes{storage_of="account"}`: true,
		})
		return nil
	})
}

// asCommand runs body as a command that listens.
func asCommand(t *testing.T, body cli.ActionFunc) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := &cli.Command{Flags: append(command.Listen(), command.Observability()...), Action: body}
	must.Do(t, c.Run(ctx, []string{"test", "--listen", "127.0.0.1:0"}))
}

func wants(t *testing.T, when, page string, lines map[string]bool) {
	t.Helper()
	for line, want := range lines {
		if strings.Contains(page, "\n"+line) != want {
			t.Errorf("%s: the page has %s: %t, want %t", when, line, !want, want)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
}

// The worst count is over stretches no shorter than the mirror's window: what
// fills a window of a minute in its first ten seconds is no excess.
func TestWorstCount(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		use    []int64
		window time.Duration
		last   int64
		worst  float64
	}{
		"nothing":             {nil, 10 * time.Second, 0, 0},
		"one that runs":       {[]int64{7}, 10 * time.Second, 0, 0},
		"ten seconds":         {[]int64{3, 51, 40, 9}, 10 * time.Second, 40, 51},
		"a minute":            {[]int64{60, 0, 0, 0, 0, 0, 30, 1}, time.Minute, 30, 10},
		"a second":            {[]int64{3, 51, 40, 9}, time.Second, 40, 51},
		"longer than is kept": {[]int64{10, 20, 30}, time.Hour, 20, 20},
	} {
		if last, worst := fleet.Slots(c.use, c.window); last != c.last || worst != c.worst {
			t.Errorf("%s: last %d, worst %g, want %d and %g", name, last, worst, c.last, c.worst)
		}
	}
}
