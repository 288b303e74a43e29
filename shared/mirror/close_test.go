package mirror_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/mirror"
)

// A client that is handed to others is used over its existing connection. It stays open
// until its maker closes it.
func TestAHandedInClientIsUsedAndItsMakerClosesIt(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, `{"github_id":"7","repo_full_name":"a/b","pr_number":1}`))
	use := func(client *mirror.Client) {
		_, _ = client.Pulls(t.Context(), "7", windows)
		_, _ = client.Issues(t.Context(), "7", windows)
		_, _ = client.OpenIssues(t.Context(), "7")
		_, _ = client.Files(t.Context(), "a/b", 1)
		_, _ = client.Maintainers(t.Context(), "a/b")
	}
	for range 3 {
		use(b.client)
	}
	b.metered(t, 15)
	if got := b.connections.Load(); got != 1 {
		t.Errorf("%d connections, want the client's one to be used by all", got)
	}
	if err := b.client.Health(t.Context()); err != nil {
		t.Errorf("after others used it: got %v, want the client open", err)
	}

	b.client.Close()
	b.client.Close() // a second time without effect
	permits := b.meter.permits.Load()
	for name, err := range map[string]error{
		"Health": b.client.Health(t.Context()),
		"Files":  func() error { _, err := b.client.Files(t.Context(), "a/b", 1); return err }(),
	} {
		if !errors.Is(err, mirror.ErrClosed) || errors.Is(err, context.Canceled) {
			t.Errorf("%s after Close: got %v, want ErrClosed", name, err)
		}
	}
	if got := b.meter.permits.Load(); got != permits {
		t.Errorf("%d permits were asked for after Close, want none", got-permits)
	}
}

// Close ends every request, whether it waits for the mirror, for a permit or for a place.
func TestCloseEndsCallsUnderWay(t *testing.T) {
	t.Parallel()
	arrived := make(chan string, 3)
	b := setup(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- r.URL.Path
		<-r.Context().Done()
	}, func(c *mirror.Config) { c.PoolSize = 2 })
	b.meter.permit = func(ctx context.Context, n int64) (time.Time, error) {
		if n == 1 {
			return time.Now().Add(time.Hour), nil
		}
		arrived <- "permit"
		<-ctx.Done()
		return time.Time{}, ctx.Err()
	}
	failed := make(chan error)
	for range 2 {
		go func() { failed <- b.client.Health(t.Context()) }()
		<-arrived
	}
	go func() { failed <- b.client.Health(t.Context()) }() // there is no place, or the client is closed: the result is the same
	b.client.Close()
	for range 3 {
		if err := <-failed; !errors.Is(err, mirror.ErrClosed) || errors.Is(err, mirror.ErrUnavailable) {
			t.Errorf("got %v, want ErrClosed alone", err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*mirror.Config)
		want   string
	}{
		"no URL":             {func(c *mirror.Config) { c.BaseURL = "" }, "BaseURL"},
		"no scheme":          {func(c *mirror.Config) { c.BaseURL = "mirror.gittensor.io" }, "BaseURL"},
		"another scheme":     {func(c *mirror.Config) { c.BaseURL = "ftp://mirror" }, "BaseURL"},
		"credentials":        {func(c *mirror.Config) { c.BaseURL = "https://u:secret@mirror" }, "credentials"},
		"unreadable":         {func(c *mirror.Config) { c.BaseURL = "https://u:secret@mirror:port" }, "BaseURL"},
		"a query":            {func(c *mirror.Config) { c.BaseURL = "https://mirror/?key=secret" }, "query"},
		"no meter":           {func(c *mirror.Config) { c.Meter = nil }, "Meter is nil"},
		"PoolSize":           {func(c *mirror.Config) { c.PoolSize = -1 }, "PoolSize is -1"},
		"Timeout":            {func(c *mirror.Config) { c.Timeout = -time.Second }, "Timeout is -1s"},
		"Backoff":            {func(c *mirror.Config) { c.Backoff = -1 }, "Backoff is -1ns"},
		"MaxBackoff":         {func(c *mirror.Config) { c.MaxBackoff = -1 }, "MaxBackoff is -1ns"},
		"Throttled":          {func(c *mirror.Config) { c.Throttled = -1 }, "Throttled is -1ns"},
		"MaxList":            {func(c *mirror.Config) { c.MaxList = -1 }, "MaxList is -1"},
		"MaxFiles":           {func(c *mirror.Config) { c.MaxFiles = -1 }, "MaxFiles is -1"},
		"MaxPages":           {func(c *mirror.Config) { c.MaxPages = -1 }, "MaxPages is -1"},
		"BreakAcross":        {func(c *mirror.Config) { c.BreakAcross = -1 }, "BreakAcross is -1"},
		"BreakFor":           {func(c *mirror.Config) { c.BreakFor = -1 }, "BreakFor is -1ns"},
		"two faults at once": {func(c *mirror.Config) { c.BreakFor = -1; c.PoolSize = -1 }, "PoolSize is -1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := mirror.Config{BaseURL: "https://mirror", Meter: &meter{}, Log: slog.New(slog.DiscardHandler)}
			c.change(&cfg)
			_, err := mirror.New(cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want an error that tells %q and no secret", err, c.want)
			}
		})
	}
}
