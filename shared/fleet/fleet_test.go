package fleet_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/shared/certs/certstest"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(t *testing.T) fleet.Config {
	t.Helper()
	cfg, _ := servers(t)
	return cfg
}

// servers are NATS and Redis until stop, or the test's end.
func servers(t *testing.T) (_ fleet.Config, stop func()) {
	t.Helper()
	servers := jobstreamtest.Start(t)
	return fleet.Config{
		Name: "test", NATS: servers.NATSURL(), Redis: servers.RedisURL(), ConnectTimeout: 10 * time.Second,
		Limit: ratelimit.Config{Horizon: time.Second}, Log: jobstreamtest.Quiet(),
	}, servers.Stop
}

// What Open opens works, and Close closes all of it: the leak check sees to
// the rest.
func TestOpenAndClose(t *testing.T) {
	t.Parallel()
	f := must.Get(fleet.Open(t.Context(), config(t)))(t)
	if _, err := f.Bus.Rounds.List(t.Context()); err != nil {
		t.Errorf("streams: %v", err)
	}
	if state, err := f.Limiter.State(t.Context()); err != nil || state.Rate < 4.6 || state.Rate > 4.7 {
		t.Errorf("limiter: %+v, %v; want the formula's rate", state.Rate, err)
	}
	client := must.Get(f.Mirror("http://127.0.0.1:1"))(t)
	client.Close()
	must.Check(t, f.Close())
}

// What is wrong is named, is somebody's to mend, and leaves nothing open.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*fleet.Config)
		code   int
		want   []string
	}{
		"a rate beyond the formula": {func(c *fleet.Config) { c.Limit.Rate = 5 }, 2, []string{"5", "4.68"}},
		"a Redis URL":               {func(c *fleet.Config) { c.Redis = "http://me:secret@x" }, 2, []string{"--redis"}},
		"no Redis": {
			func(c *fleet.Config) {
				c.Redis, c.ConnectTimeout = "redis://:secret@127.0.0.1:1/0", 300*time.Millisecond
			}, 1,
			[]string{"--redis", "--connect-timeout"},
		},
		"no NATS": {
			func(c *fleet.Config) { c.NATS, c.ConnectTimeout = "nats://me:secret@127.0.0.1:1", 300*time.Millisecond }, 1,
			[]string{"--nats", "127.0.0.1:1", "--connect-timeout"},
		},
		"an old NATS": {
			func(c *fleet.Config) { c.NATS = jobstreamtest.Aged(t, c.NATS, "2.12.2") }, 2,
			[]string{"--nats", "2.12.2", jobstream.OldestServer, "install"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			c.change(&cfg)
			_, err := fleet.Open(t.Context(), cfg)
			if command.Code(err) != c.code {
				t.Fatalf("got %v with code %d, want code %d", err, command.Code(err), c.code)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: does not name %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("a password in %v", err)
			}
			if strings.Contains(err.Error(), "does not answer") {
				t.Errorf("%v: says twice that nobody answers", err)
			}
		})
	}
}

// TestWhatNoWaitMends is wrong usage at once, though there is all the time in the world
// to connect: a process that waits for what cannot come looks like one that is well.
func TestWhatNoWaitMends(t *testing.T) {
	t.Parallel()
	guarded := redistest.Start(t, "--requirepass", "secret")
	seed := filepath.Join(t.TempDir(), "seed")
	must.Do(t, os.WriteFile(seed, []byte("secret"), 0o600))
	must.Do(t, os.Chmod(seed, 0o644))
	for name, c := range map[string]struct {
		change func(*fleet.Config)
		want   string
	}{
		"a password of Redis that is missing": {func(c *fleet.Config) { c.Redis = guarded.URL() }, "--redis-password-file"},
		"a CA that is not there":              {func(c *fleet.Config) { c.NATSFiles.TLS.CA = "/nowhere.pem" }, "--nats-ca"},
		"TLS that the server has not":         {func(c *fleet.Config) { c.NATSFiles.TLS.CA = certstest.New(t).File }, "--nats-ca"},
		"a seed that others can read": {func(c *fleet.Config) {
			_, host, _ := strings.Cut(c.NATS, "@") // its user would be one too many
			c.NATS, c.NATSFiles.NKey = "nats://"+host, seed
		}, "chmod o-rwx " + seed},
		"TLS files for a URL without": {func(c *fleet.Config) { c.RedisFiles.TLS.CA = certstest.New(t).File }, "rediss://"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.ConnectTimeout = time.Hour
			c.change(&cfg)
			_, err := fleet.Open(t.Context(), cfg)
			if command.Code(err) != command.ExitUsage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v with code %d, want wrong usage with %q", err, command.Code(err), c.want)
			}
		})
	}
}
