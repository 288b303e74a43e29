package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/answer"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/worker/lease"
)

// apiToken must come out nowhere.
const apiToken = "PLANTED-0123456789-api-token"

// openWire is a process's connections to NATS and Redis.
func openWire(t *testing.T) *fleet.Fleet {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	servers, err := local.Start(t.Context(), local.Config{Dir: t.TempDir(), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = servers.Close() })
	wire, err := fleet.Open(t.Context(), fleet.Config{
		Name: "producer", NATS: servers.NATSURL(), Redis: servers.RedisURL(), ConnectTimeout: 30 * time.Second,
		Limit: ratelimit.Config{Limit: 1_000_000, Horizon: 10 * time.Millisecond}, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = wire.Close() })
	return wire
}

// withAPI lets work run in a command that has the API's flags.
func withAPI(t *testing.T, work func(context.Context, *cli.Command) error, args ...string) error {
	t.Helper()
	app := &cli.Command{
		Name: "app", Flags: apiFlags(), Action: work, ExitErrHandler: func(context.Context, *cli.Command, error) {},
		OnUsageError: func(_ context.Context, _ *cli.Command, err error, _ bool) error { return command.Usage("%w", err) },
		Writer:       io.Discard, ErrWriter: io.Discard,
	}
	return app.Run(t.Context(), append([]string{"app"}, args...))
}

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A process with the API runs a round, tells its rewards, replays what failed
// when it is asked to, and has nothing left when it is closed. The token comes
// out nowhere.
func TestAPIOfAProcess(t *testing.T) {
	t.Parallel()
	wire, log := openWire(t), &lines{}
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte(apiToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"repo_full_name":"a/b","generated_at":"2026-06-01T00:00:00Z","maintainers":[]}`)
	}))
	defer mirror.Close()
	client, err := wire.Mirror(mirror.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	runner, err := round.New(round.Config{Bus: wire.Bus, Mirror: client, Log: logger, Reconcile: 200 * time.Millisecond, Hold: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var sick atomic.Bool
	sick.Store(true)
	defer workIn(t, wire, &sick)()

	err = withAPI(t, func(ctx context.Context, c *cli.Command) error {
		stop, err := startAPI(ctx, c, wire, runner.Replay, logger)
		if err != nil {
			return err
		}
		api := apiClient{ctx: ctx, t: t, base: "http://" + regexp.MustCompile(`"the API","address":"([^"]+)"`).FindStringSubmatch(log.String())[1]}
		result, err := runner.Start(ctx, roundOfTwo(t, mirror.URL))
		if err != nil {
			return errors.Join(err, stop())
		}
		var rewards answer.Rewards
		api.get("/api/v1/rounds/latest/rewards", &rewards)
		if rewards.Round != result.Round || rewards.Complete || !slices.Equal(rewards.Dead, []int{2}) || rewards.AgeSeconds <= 0 ||
			rewards.Rewards[1] != result.Outcome.Rewards[1].Reward || rewards.Rewards[1] <= 0 {
			t.Errorf("rewards %+v, want those of round %s, without 2", rewards, result.Round)
		}
		var bucket answer.Bucket
		if api.get("/api/v1/limit", &bucket); bucket.Granted < 1 {
			t.Errorf("bucket %+v, want the permits of the round", bucket)
		}
		if status := api.replay("", result.Round); status != http.StatusUnauthorized {
			t.Errorf("a replay without the token: %d, want 401", status)
		}
		sick.Store(false)
		if status := api.replay(apiToken, result.Round); status != http.StatusAccepted {
			t.Errorf("a replay with the token: %d, want 202", status)
		}
		api.awaitRevision(result.Round, 2)
		api.get("/api/v1/rounds/latest/rewards", &rewards)
		if rewards.Revision != 2 || !rewards.Complete || rewards.Rewards[2] <= 0 {
			t.Errorf("after the replay %+v, want revision 2, complete, a reward for 2", rewards)
		}
		return stop()
	}, "--api", "127.0.0.1:0", "--api-token-file", tokenFile)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), apiToken) {
		t.Errorf("the token is in the log:\n%s", log)
	}
	if !strings.Contains(log.String(), "a replay has ended") {
		t.Errorf("the log does not tell of the replay:\n%s", log)
	}
}

// workIn runs a worker beside; miner 2 cannot be had while it is sick.
func workIn(t *testing.T, wire *fleet.Fleet, sick *atomic.Bool) (stop func()) {
	t.Helper()
	worker, err := lease.New(lease.Config{
		Worker: "w1", Bus: wire.Bus, Grace: time.Millisecond, FetchWait: 50 * time.Millisecond, Delays: []time.Duration{time.Millisecond},
		Log: slog.New(slog.DiscardHandler),
		Handler: func(_ context.Context, j job.Job, _ lease.Attempt) (job.Evaluation, error) {
			if j.UID == 2 && sick.Load() {
				return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("the mirror refuses"))
			}
			return job.Evaluation{Version: job.Version, Round: j.Round, UID: j.UID, Evaluation: scoring.Evaluation{
				UID: j.UID, Hotkey: j.Hotkey, GitHubID: j.GitHubID, Merged: []scoring.ScoredPullRequest{{
					Repository: "a/b", Number: j.UID, State: scoring.Merged, Scored: true, BaseScore: 10,
					IssueMultiplier: 1, TimeDecayMultiplier: 1, ReviewQualityMultiplier: 1, LabelMultiplier: 1,
				}},
			}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, quit := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- worker.Run(ctx) }()
	return func() {
		quit()
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
}

// roundOfTwo is a round of two miners and the recycle uid, as of an hour ago.
func roundOfTwo(t *testing.T, mirror string) job.Manifest {
	t.Helper()
	languages, tokens := scoring.DefaultWeights()
	at := time.Now()
	m, err := round.Plan(round.NewID(at, [3]byte{1, 2, 3}), round.Inputs{
		Miners: round.File{Name: "miners", Data: []byte(`[{"uid": 0, "hotkey": "h0", "github_id": "100"},
			{"uid": 1, "hotkey": "h1", "github_id": "101"}, {"uid": 2, "hotkey": "h2", "github_id": "102"}]`)},
		Registry: round.File{Name: "registry", Data: []byte(`{"a/b": {"emission_share": 0.5, "maintainer_cut": 0.1,
			"eligibility": {"min_valid_merged_prs": 1}}}`)},
		Languages: round.File{Name: "languages", Data: languages}, Tokens: round.File{Name: "tokens", Data: tokens},
		Mirror: mirror, AsOf: at.Add(-time.Hour),
	}, at)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// apiClient asks a process's API.
type apiClient struct {
	ctx  context.Context //nolint:containedctx // the command's, for as long as the test runs in it
	t    *testing.T
	base string
}

func (a apiClient) do(method, path, token, body string) (int, []byte) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.ctx, method, a.base+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if bytes.Contains(data, []byte(apiToken)) {
		a.t.Errorf("%s tells the token", path)
	}
	return response.StatusCode, data
}

func (a apiClient) get(path string, into any) {
	a.t.Helper()
	status, data := a.do(http.MethodGet, path, "", "")
	if err := json.Unmarshal(data, into); err != nil || status != http.StatusOK {
		a.t.Errorf("%s: %d, %v: %s", path, status, err, data)
	}
}

func (a apiClient) replay(token, name string) int {
	a.t.Helper()
	status, _ := a.do(http.MethodPost, "/api/v1/rounds/"+name+"/replay", token, `{"uids": [2]}`)
	return status
}

// awaitRevision looks at a round until it has a revision, and its replay has
// ended.
func (a apiClient) awaitRevision(name string, revision int) {
	a.t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	giveUp := time.NewTimer(time.Minute)
	defer giveUp.Stop()
	for {
		var now struct {
			Revision int `json:"revision"`
			Replay   struct {
				State string `json:"state"`
			} `json:"replay"`
		}
		if a.get("/api/v1/rounds/"+name, &now); now.Revision == revision && now.Replay.State == "ended" {
			return
		}
		select {
		case <-ticker.C:
		case <-giveUp.C:
			a.t.Fatalf("the round is at %+v, want revision %d", now, revision)
		}
	}
}

// Wrong settings are wrong usage, told by the flag and without the token;
// without an address nothing is served.
func TestAPISettings(t *testing.T) {
	t.Parallel()
	wire, dir := openWire(t), t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, taken := file("good", apiToken), httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	refuse := func(context.Context, string, round.Selection) (round.Result, round.Replayed, error) {
		return round.Result{}, round.Replayed{}, errors.New("not asked for")
	}
	for _, c := range []struct {
		name string
		args []string
		says string // "" for none wrong
	}{
		{"none", nil, ""},
		{"without a token", []string{"--api", "127.0.0.1:0"}, ""},
		{"with both", []string{"--api", "127.0.0.1:0", "--api-token-file", good}, ""},
		{"no address", []string{"--api", "8440"}, "host:port"},
		{"an address in use", []string{"--api", strings.TrimPrefix(taken.URL, "http://")}, "--api"},
		{"a token without address", []string{"--api-token-file", good}, "--api-token-file needs --api"},
		{"no file", []string{"--api", "127.0.0.1:0", "--api-token-file", filepath.Join(dir, "none")}, "--api-token-file"},
		{"a folder", []string{"--api", "127.0.0.1:0", "--api-token-file", dir}, "--api-token-file"},
		{"empty", []string{"--api", "127.0.0.1:0", "--api-token-file", file("empty", "\n")}, "0 characters, want one line of 16"},
		{"short", []string{"--api", "127.0.0.1:0", "--api-token-file", file("short", "PLANTED-0123456")}, "15 characters"},
		{"two lines", []string{"--api", "127.0.0.1:0", "--api-token-file", file("two", apiToken+"\n"+apiToken)}, "without spaces"},
		{"long", []string{"--api", "127.0.0.1:0", "--api-token-file", file("long", strings.Repeat("PLANTED-", 1000))}, "16 to 4096"},
	} {
		err := withAPI(t, func(ctx context.Context, cmd *cli.Command) error {
			stop, err := startAPI(ctx, cmd, wire, web.Replayer(refuse), slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			return stop()
		}, c.args...)
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v, want none", c.name, err)
		case c.says != "" && (command.Code(err) != command.ExitUsage || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v with code %d, want wrong usage with %q", c.name, err, command.Code(err), c.says)
		case err != nil && strings.Contains(err.Error(), "PLANTED"):
			t.Errorf("%s: the token is in %v", c.name, err)
		}
	}
}
