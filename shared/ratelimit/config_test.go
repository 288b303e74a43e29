package ratelimit_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

// TestRateOfTheFormula: 48 slots in 10.25 s with the mirror's parameters.
func TestRateOfTheFormula(t *testing.T) {
	t.Parallel()
	if got := ratelimit.Interval(ratelimit.Config{}); got != 213_542 {
		t.Errorf("the default interval is %d µs, want 213542 (4.68 per second)", got)
	}
	if got := ratelimit.Interval(ratelimit.Config{Rate: 0.5}); got != 2_000_000 {
		t.Errorf("the interval at 0.5 per second is %d µs, want 2000000", got)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	rdb := embedded(t).client(t)
	for name, test := range map[string]struct {
		cfg  ratelimit.Config
		want string // part of the error, empty for none
	}{
		"the zero Config":       {ratelimit.Config{}, ""},
		"the highest rate":      {ratelimit.Config{Rate: 48 / 10.25}, ""},
		"beyond the formula":    {ratelimit.Config{Rate: 4.7}, "b + r·(W+J) ≤ L − spare, here 1 + 4.7·(10 + 0.25) = 49.18 > 50 − 1"},
		"five per second":       {ratelimit.Config{Rate: 5}, "Rate is 5 per second, want at most 4.683"},
		"a negative rate":       {ratelimit.Config{Rate: -1}, "Rate"},
		"no number":             {ratelimit.Config{Rate: math.NaN()}, "Rate"},
		"no spare":              {ratelimit.Config{Rate: 4.78, Spare: ratelimit.NoSpare}, ""},
		"a spare too large":     {ratelimit.Config{Spare: 49}, "Spare 49"},
		"a negative limit":      {ratelimit.Config{Limit: -1}, "Limit is -1"},
		"braces in the egress":  {ratelimit.Config{Egress: "{x}"}, "Egress"},
		"a window of hours":     {ratelimit.Config{Window: 2 * time.Hour}, "Window"},
		"jitter over a window":  {ratelimit.Config{Jitter: 11 * time.Second}, "Jitter"},
		"a timeout over jitter": {ratelimit.Config{Timeout: 300 * time.Millisecond}, "Timeout is 300ms, want 1µs to 250ms"},
		"a horizon of no slot":  {ratelimit.Config{Horizon: 100 * time.Millisecond}, "Horizon is 100ms, want 213.542ms"},
		"an endless cool-down":  {ratelimit.Config{MaxCoolDown: 48 * time.Hour}, "MaxCoolDown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ratelimit.New(test.cfg, rdb)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("New: %v, want no error", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("New: %v, want an error with %q", err, test.want)
			}
		})
	}
}

// TestClientIsChecked: a client that sends a reservation twice is refused.
func TestClientIsChecked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rdb  redis.UniversalClient
		want string
	}{
		"none":           {nil, "nil"},
		"the usual one":  {redis.NewClient(&redis.Options{}), "MaxRetries"},
		"deaf to ctx":    {redis.NewClient(&redis.Options{MaxRetries: -1}), "ContextTimeoutEnabled"},
		"a deaf cluster": {redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}}), "ContextTimeoutEnabled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.rdb != nil {
				t.Cleanup(func() { _ = test.rdb.Close() })
			}
			if _, err := ratelimit.New(ratelimit.Config{}, test.rdb); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New: %v, want an error with %q", err, test.want)
			}
		})
	}
}

// TestNewClientKeepsToItsOptions, whatever the URL says.
func TestNewClientKeepsToItsOptions(t *testing.T) {
	t.Parallel()
	rdb := must.Get(ratelimit.NewClient("redis://:secret@127.0.0.1:6379/3?max_retries=5&read_timeout=9s", 0))(t)
	defer rdb.Close()
	got := rdb.Options()
	if got.MaxRetries != 0 || !got.ContextTimeoutEnabled || got.ReadTimeout != ratelimit.DefaultTimeout || got.DB != 3 {
		t.Errorf("options are MaxRetries %d, ContextTimeoutEnabled %v, ReadTimeout %v, DB %d, want 0, true, %v, 3",
			got.MaxRetries, got.ContextTimeoutEnabled, got.ReadTimeout, got.DB, ratelimit.DefaultTimeout)
	}
}

// TestErrorsHideThePassword, whatever is wrong with the URL.
func TestErrorsHideThePassword(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"http://user:secret@host:6379",
		"redis://user:secret@host:6379/no/such",
		"redis://user:secret@host:6379/name",
		"redis://user:secret@host:port",
		"redis://user:sec%ret@host:6379",
		"user:secret@host:6379",
		"redis://host:6379?password=secret",
		"://secret",
		"redis://user:12/secret@host:6379",
		"redis://user:12/3?secret@host:6379",
		"redis://user:12#secret@host:6379",
	} {
		_, err := ratelimit.NewClient(address, 0)
		if err == nil {
			t.Errorf("NewClient(%q) returned no error", address)
			continue
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "sec%ret") {
			t.Errorf("NewClient(%q) tells the password: %v", address, err)
		}
		if !strings.Contains(err.Error(), "redis://USER:PASSWORD@HOST:6379/0") { // which is printed as it is: see command.Run
			t.Errorf("NewClient(%q) does not say what it wants: %v", address, err)
		}
	}
	if _, err := ratelimit.NewClient("redis://host", -time.Second); err == nil {
		t.Error("NewClient with a negative timeout returned no error")
	}
}
