package listen_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/lifetest"
	"mirrorfleet/shared/listen"
	"mirrorfleet/shared/must"
)

var empty = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

func started(ctx context.Context, cfg listen.Config) (*listen.Server, error) {
	cfg.Addr, cfg.Log = "127.0.0.1:0", slog.New(slog.DiscardHandler)
	return listen.Start(ctx, cfg)
}

func TestServersStop(t *testing.T) {
	t.Parallel()
	lifetest.Stress(t, 50, func(ctx context.Context) (func() error, error) {
		s, err := started(ctx, listen.Config{Handler: empty, Grace: time.Minute})
		if err != nil {
			return nil, err
		}
		return s.Close, nil
	})
}

// TestRequestsUnderWay have the grace time to end, and no longer.
func TestRequestsUnderWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		grace time.Duration
		whole bool
	}{"with grace": {time.Minute, true}, "without": {0, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := make(chan struct{})
			s := must.Get(started(t.Context(), listen.Config{Grace: c.grace, Handler: http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					close(began)
					if !c.whole {
						<-r.Context().Done()
					}
					_, _ = io.WriteString(w, "whole")
				},
			)}))(t)
			conn := connect(t, s.Addr())
			conn.says(request)
			must.Receive(t.Context(), t, began, "the request")
			must.Do(t, s.Close())
			answer, _ := io.ReadAll(conn.lines) // it may be cut in the middle
			if got := strings.HasSuffix(string(answer), "whole"); got != c.whole {
				t.Errorf("answered %q, want the whole answer: %t", answer, c.whole)
			}
		})
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]listen.Config{
		"Handler": {}, "Connections": {Handler: empty, Connections: -1}, "Grace": {Handler: empty, Grace: -1},
	} {
		if _, err := started(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that names %s", err, want)
		}
	}
}
