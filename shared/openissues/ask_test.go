package openissues_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/openissues"
	"mirrorfleet/shared/scoring/input"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// meter grants permits, or none before whoever waits for one gives up.
type meter struct{ stopped bool }

func (m meter) Permit(ctx context.Context) (time.Time, error) {
	if m.stopped {
		<-ctx.Done()
		return time.Time{}, context.Cause(ctx)
	}
	return time.Now().Add(time.Hour), nil
}

func (meter) CoolDown(context.Context, time.Duration) error { return nil }

// question is that of a round planned an hour after its as_of, to a mirror at an address.
func question(t *testing.T, address string, m meter) openissues.Question {
	t.Helper()
	client := must.Get(mirror.New(mirror.Config{
		BaseURL: address, Meter: m, Backoff: time.Millisecond, MaxBackoff: time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}))(t)
	t.Cleanup(client.Close)
	return openissues.Question{
		Mirror: client, Registry: must.Get(input.ParseRegistry([]byte(registry)))(t), Bytes: 1 << 20, Log: slog.New(slog.DiscardHandler),
		Manifest: job.Manifest{Round: "r1", AsOf: asOf, PlannedAt: asOf.Add(time.Hour), Miners: []input.Miner{
			{UID: 0, Hotkey: "h0", GitHubID: "100"}, {UID: 7, Hotkey: "h7", GitHubID: "7"}, {UID: 8, Hotkey: "h8", GitHubID: "8"},
		}},
	}
}

// serve answers with a body that was generated at an instant.
func serve(t *testing.T, status int, generated time.Time) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"since":"1970-01-01T00:00:00.000Z","generated_at":%q,"issues":[
			{"repo_full_name":"a/b","issue_number":1,"author_github_id":"7","state":"OPEN","created_at":%[1]q},
			{"repo_full_name":"a/b","issue_number":2,"author_github_id":"8","state":"ODD","created_at":%[1]q}]}`,
			generated.UTC().Format(time.RFC3339Nano))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// The answer is used up to two minutes before the plan, whatever the round's as_of is;
// of a miner with a row that cannot be read nothing is known.
func TestAsk(t *testing.T) {
	t.Parallel()
	planned := asOf.Add(time.Hour)
	for name, c := range map[string]struct {
		generated time.Time
		unused    string
	}{
		"fresh":                {planned, ""},
		"of the mirror's past": {planned.Add(-2 * time.Minute), ""},
		"of its future":        {planned.Add(time.Hour), ""},
		"stale":                {planned.Add(-2*time.Minute - time.Millisecond), "the answer is stale: generated_at is 2026-06-01T12:58:00Z"},
	} {
		q := question(t, serve(t, http.StatusOK, c.generated), meter{})
		got := must.Get(openissues.Ask(t.Context(), q))(t)
		if !strings.HasPrefix(got.Unused, c.unused) || (got.Unused == "") != (c.unused == "") {
			t.Errorf("%s: unused %q, want %q", name, got.Unused, c.unused)
		}
		want := job.AllIssues{
			GeneratedAt: c.generated, Requests: 1, Rows: 2, Unreadable: 1, Unused: got.Unused,
			Malformed: []job.Malformed{{Item: "a/b#2", Error: `state is "ODD", want OPEN or CLOSED`}},
		}
		if c.unused == "" {
			want.Miners = map[string]job.MinerIssues{"7": {Open: map[string]int{q.Registry.Repositories[0].Name: 1}, Inside: true}}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What cannot be had is not used, and the round says why, with the requests that it cost.
func TestAskInVain(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct{ status, requests, bytes int }{
		"status 404": {http.StatusNotFound, 1, 1 << 20},
		"status 503": {http.StatusServiceUnavailable, 3, 1 << 20},
		"more than the bound of the answer, 100 bytes": {http.StatusOK, 1, 100},
	} {
		q := question(t, serve(t, c.status, asOf.Add(time.Hour)), meter{})
		q.Bytes = int64(c.bytes)
		got := must.Get(openissues.Ask(t.Context(), q))(t)
		if !strings.Contains(got.Unused, want) || got.Requests != c.requests || got.Miners != nil {
			t.Errorf("%s: got %+v, want that after %d requests", want, got, c.requests)
		}
	}
}

// A plan waits so long for the answer and not longer, and not at all when nobody waits
// for the plan.
func TestAskWaits(t *testing.T) {
	t.Parallel()
	q := question(t, serve(t, http.StatusOK, asOf.Add(time.Hour)), meter{stopped: true})
	q.Patience = 10 * time.Millisecond
	got := must.Get(openissues.Ask(t.Context(), q))(t)
	if !strings.Contains(got.Unused, "the plan does not wait any longer") || got.Requests != 0 {
		t.Errorf("got %+v, want it unused after the time, without a request", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := openissues.Ask(ctx, q); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// A mirror that hangs delays a plan by Patience, whether it says nothing at all or stops in
// the middle of its answer.
func TestAMirrorThatHangsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for name, begins := range map[string]string{
		"nothing": "", "a beginning": `{"since":"1970-01-01T00:00:00.000Z","generated_at":"2026-06-01T13:00:00.000Z","issues":[`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if begins != "" {
				fmt.Fprint(w, begins)
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
		}))
		t.Cleanup(server.Close)
		q := question(t, server.URL, meter{})
		q.Patience = 100 * time.Millisecond
		got := must.Get(openissues.Ask(t.Context(), q))(t)
		if !strings.Contains(got.Unused, "the plan does not wait any longer") || got.Requests != 1 || got.Miners != nil {
			t.Errorf("%s: got %+v, want it unused after the time, with one request", name, got)
		}
	}
}
