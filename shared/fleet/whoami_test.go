package fleet_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// service answers with a text.
func service(t *testing.T, text string) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
	t.Cleanup(s.Close)
	return s.URL
}

// Each process tells its address beside its egress until it ends. A producer says once where
// two egresses have one address, and never fails for it.
func TestProcessesTellTheirAddress(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg, _ := servers(t)
	cfg.WhoAmI = service(t, "192.0.2.1\n")
	log := &telemetrytest.Log{}
	cfg.Log = log.Logger()
	gateway := cfg
	gateway.Process, gateway.Limit.Egress = "gateway g", "eu-1"
	g := must.Get(fleet.OpenLimiter(ctx, gateway))(t)
	must.Get(g.Limiter.Permit(ctx))(t) // an egress is listed with its bucket
	log.Await(ctx, t, "this process sends from")
	producer := cfg
	producer.Process, producer.Limit.Egress = "producer p", "eu-2"
	seeBoth := func() ratelimit.State {
		p := must.Get(fleet.Open(ctx, producer))(t)
		defer p.Close()
		must.Get(p.Limiter.Permit(ctx))(t)
		must.Until(ctx, t, "it knows its own address", func() bool { return len(p.Addresses()) == 1 && p.Addresses()[0].String() == "192.0.2.1" })
		var found []ratelimit.State
		must.Until(ctx, t, "both have told", func() bool {
			found = must.Get(p.Buckets(ctx))(t)
			return len(found) == 2 && len(found[0].Processes) == 1 && len(found[1].Processes) == 1
		})
		return found[1]
	}
	if p := seeBoth(); p.Processes[0].Name != "producer p" {
		t.Errorf("told as %v, want producer p", p.Processes)
	}
	seeBoth() // its bucket is there from the start
	log.Await(ctx, t, "several egresses send from one address")
	must.Do(t, g.Close())
	p := must.Get(fleet.Open(ctx, producer))(t)
	defer p.Close()
	if left := must.Get(p.Buckets(ctx))(t)[0].Processes; len(left) != 0 {
		t.Errorf("the gateway has ended, and %v is left", left)
	}
}

// A service that answers nonsense costs a line in the log and nothing else.
func TestAServiceThatLiesCostsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg, _ := servers(t)
	cfg.WhoAmI = service(t, "<html>\x1b[2J")
	log := &telemetrytest.Log{}
	cfg.Log = log.Logger()
	f := must.Get(fleet.Open(ctx, cfg))(t)
	defer f.Close()
	log.Await(ctx, t, "--whoami-url gives none")
	must.Get(f.Limiter.Permit(ctx))(t)
	if f.Addresses() != nil || strings.Contains(log.String(), "\x1b") {
		t.Errorf("known %v, want nothing known and a clean log:\n%s", f.Addresses(), log)
	}
}

// Addresses that Redis does not give hide no bucket, and are one line in the log however often
// a page asks.
func TestUnreadAddressesAreLoggedOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg, _ := servers(t)
	log := &telemetrytest.Log{}
	cfg.Log = log.Logger()
	f := must.Get(fleet.OpenLimiter(ctx, cfg))(t)
	defer f.Close()
	must.Get(f.Limiter.Permit(ctx))(t)
	rdb := must.Get(ratelimit.NewClient(cfg.Redis, time.Minute))(t)
	defer rdb.Close()
	egress := must.Get(f.Buckets(ctx))(t)[0].Egress
	must.Do(t, rdb.Set(ctx, "limit:{"+egress+"}:addresses", "no hash", 0).Err())
	for range 3 {
		if got := must.Get(f.Buckets(ctx))(t); len(got) != 1 {
			t.Errorf("%d buckets, want one", len(got))
		}
	}
	if told := strings.Count(log.String(), "the addresses of an egress are not shown"); told != 1 {
		t.Errorf("told %d times, want once:\n%s", told, log)
	}
}

// A wrong URL, or an egress without a usable name, is wrong usage before any server is asked.
func TestWrongEgressSettingsAreNamed(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*fleet.Config){
		"--whoami-url: \"ipify": func(c *fleet.Config) { c.WhoAmI = "ipify.example" },
		"--whoami-url: the URL": func(c *fleet.Config) { c.WhoAmI = "https://ipify.example/?token=hush" },
		"--egress":              func(c *fleet.Config) { c.Limit.Egress = "eu 1" },
	} {
		cfg := fleet.Config{NATS: "nats://127.0.0.1:1", Redis: "redis://127.0.0.1:1", ConnectTimeout: time.Hour}
		change(&cfg)
		for name, open := range map[string]func(context.Context, fleet.Config) (*fleet.Fleet, error){"all": fleet.Open, "limiter": fleet.OpenLimiter} {
			if _, err := open(t.Context(), cfg); command.Code(err) != command.ExitUsage || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want wrong usage of %s", name, err, want)
			}
		}
	}
}
