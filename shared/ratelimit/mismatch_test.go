package ratelimit_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/ratelimit"
)

// TestOtherParametersAreHeldOff: slots by two horizons would overlap. The first process
// continues. The other says once what is wrong, and takes over when nobody has used the
// old parameters for two horizons.
func TestOtherParametersAreHeldOff(t *testing.T) {
	t.Parallel()
	shorter := func(c *ratelimit.Config) { c.Horizon = 100 * time.Millisecond }
	for _, test := range []struct {
		name, server string
		change       func(*ratelimit.Config)
	}{
		{"a shorter horizon", "redis-server", shorter},
		{"a shorter horizon", "embedded", shorter},
		{"a shorter horizon", "cluster", shorter},
		{"a shorter horizon", "primary and replica", shorter},
		{"a longer horizon", "redis-server", func(c *ratelimit.Config) { c.Horizon = 4 * time.Second }},
		{"a lower rate", "redis-server", func(c *ratelimit.Config) { c.Rate = 20 }},
		{"a lower limit", "redis-server", func(c *ratelimit.Config) { c.Limit, c.Rate = 450, 20 }},
	} {
		t.Run(test.server+"/"+test.name, func(t *testing.T) {
			t.Parallel()
			s := servers[test.server](t)
			base := quick()
			base.Horizon = 1500 * time.Millisecond // so that no stall makes the first one look gone
			base.Limit = 502
			base.Window = 10 * time.Second
			base.Jitter = 10 * time.Second
			base.Timeout = 10 * time.Second // no call is lost
			first := s.limiterBy(t, base, patient(t, s))
			permit(t, first)
			log := newSignals()
			cfg := base
			test.change(&cfg)
			cfg.Log = newLogger(log)
			other := s.limiterBy(t, cfg, patient(t, s))
			got := make(chan struct{})
			go func() { defer close(got); permit(t, other) }()
			var using sync.WaitGroup
			using.Go(func() {
				for range 20 { // for longer than the other's horizon
					permit(t, first)
				}
			})
			log.want(t, "in use with other parameters")
			using.Wait()
			select {
			case <-got:
				t.Error("a process with other parameters had a permit while those in force were used")
			default:
			}
			if state := state(t, first); state.Restarts != 1 || state.Horizon != base.Horizon || state.Limit != base.Limit {
				t.Errorf("State is %+v, want the first process's parameters in force and no restart", state)
			}
			<-got // nobody uses the old ones any more
			log.want(t, "goes by this process's parameters")
			if state := state(t, other); state.Restarts != 2 || state.Horizon != cfg.Horizon {
				t.Errorf("State is %+v, want the other's horizon %v in force after a restart", state, cfg.Horizon)
			}
		})
	}
}

// TestParametersAreReadable in the log: each has the name of its flag and its unit.
func TestParametersAreReadable(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("", "parameters", ratelimit.ParamsOf(ratelimit.Config{}))
	for _, want := range []string{
		"parameters.limit_requests=50", "parameters.limit_window=10s", "parameters.limit_rate=4.682", "parameters.limit_horizon=10s",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("logged %q, want %s in it", log.String(), want)
		}
	}
}
