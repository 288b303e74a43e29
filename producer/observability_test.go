package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit/redistest"
)

// planted is an access token that is put in every place where a token can be. It must
// come out nowhere.
const planted = "ghp_0123456789PLANTED0123456789abcdefghij"

// seeing is a round with all kinds of jobs, seen from outside: miner 1 succeeds, miner 2
// needs a second attempt, miner 57 ends as a dead letter.
type seeing struct {
	collector      *collector
	workers        []string
	nats, redis    string // with credentials
	worker         *worker
	metrics        string
	ofProducer     string // its metrics, as last read while it ran
	stdout, stderr string
	round          string
}

// see runs the round.
func see(t *testing.T) *seeing {
	t.Helper()
	started := must.Get(local.Start(t.Context(), local.Config{Dir: t.TempDir(), Password: planted, Log: jobstreamtest.Quiet()}))(t)
	t.Cleanup(func() { must.Check(t, started.Close()) })
	s := &seeing{
		collector: &collector{}, workers: []string{"seer"}, redis: guardedRedis(t),
		nats: started.NATSURL(),
	}
	otlp := httptest.NewServer(s.collector)
	t.Cleanup(otlp.Close)
	mirror, _ := echoing(t)
	env := []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + otlp.URL,
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20" + planted, "GITHUB_TOKEN=" + planted, "MIRRORFLEET_TOKEN=" + planted,
		"MIRRORFLEET_NATS=" + s.nats, "MIRRORFLEET_REDIS=" + s.redis,
	}
	common := []string{"--mirror", mirror, "--egress", "seeing", "--limit-horizon", "1s", "--log-level", "debug"}
	declare(t, started.NATSURL())
	s.worker = work(t, "seer", env, append(common, "--listen", "127.0.0.1:0")...)
	cmd := command(t, "producer", slices.Concat([]string{"run", "--json", "--listen", "127.0.0.1:0"}, seenInputs(t), common)...)
	cmd.Env = append(cmd.Env, env...)
	said := &watched{want: `"address":"`, seen: make(chan struct{})}
	cmd.Stderr = said
	read := s.readOften(t, said)
	stdout, err := cmd.Output()
	read()
	s.stdout, s.stderr = string(stdout), said.String()
	if code := cmd.ProcessState.ExitCode(); code != 1 { // concluded, with a dead letter
		t.Fatalf("the round: exit %d, %v, want 1\n%s", code, err, s.stderr)
	}
	// A job is counted after the record is written that ends the round.
	s.worker.tells(t, `mirrorfleet_job_outcomes_total\{[^}]*job_outcome="done"[^}]*\} [1-9]`)
	s.metrics = s.worker.tells(t, `mirrorfleet_job_outcomes_total\{[^}]*job_outcome="failed"[^}]*\} [1-9]`)
	s.worker.stop()
	s.round = decode(t, ended{1, s.stdout, s.stderr}).Round
	return s
}

// seenInputs are the flags of the round's inputs.
func seenInputs(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	miners, registry := filepath.Join(dir, "miners.json"), filepath.Join(dir, "registry.json")
	write(t, miners, `[{"uid": 1, "hotkey": "h1", "github_id": "101"}, {"uid": 2, "hotkey": "h2", "github_id": "102"}, {"uid": 57, "hotkey": "h57", "github_id": "103"}]`)
	write(t, registry, `{"a/b": {"emission_share": 0.5}}`)
	return []string{"--miners", miners, "--registry", registry, "--as-of", seenAt.Format(time.RFC3339),
		"--all-issues", "0"} // so that each job makes requests of every kind
}

func write(t *testing.T, path, content string) {
	t.Helper()
	must.Do(t, os.WriteFile(path, []byte(content), 0o600))
}

// seenAt is the round's instant.
var seenAt = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// echoing is a simulated mirror that puts the planted token into every malformed answer:
// an item, or the body of a refusal. Miner 2 has two pages of pull requests, and the
// files of one of them fail in the first attempt. Miner 57 is refused until it is healed.
func echoing(t *testing.T) (address string, healed *atomic.Bool) {
	t.Helper()
	server := must.Get(mirrorsim.Start(t.Context(), mirrorsim.Config{World: seenWorld()}))(t)
	t.Cleanup(func() { _ = server.Close() })
	if err := server.FailFirst("files:a/b#2", 3, "503"); err != nil { // all tries of the first attempt
		t.Fatal(err)
	}
	behind := must.Get(url.Parse(server.URL))(t)
	healed = &atomic.Bool{}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/miners/103/pulls" && !healed.Load() {
			http.Error(w, "no such miner; you sent Authorization: Bearer "+planted, http.StatusNotFound)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL, healed
}

func seenWorld() *mirrorsim.World {
	w := mirrorsim.NewWorld("seeing", seenAt)
	w.Registry = []byte(`{"a/b": {"emission_share": 0.5}}`)
	for n, github := range map[int]string{1: "101", 2: "102", 3: "103", 5: "102"} {
		created := seenAt.Add(-time.Duration(n) * time.Hour)
		text := fmt.Sprintf("package p\n\nfunc f(x int) int { return x + %d }\n", n)
		merged := created.Add(time.Minute)
		main := "main"
		head := strings.Repeat(strconv.Itoa(n), 40)
		base := strings.Repeat("0", 40)
		w.AddPull(github, mirrorsim.Pull{
			RepoFullName: "A/B", Number: n, Title: "one", State: "MERGED", AuthorGitHubID: github, AuthorLogin: "m" + github,
			CreatedAt: created, MergedAt: &merged, BaseRef: &main, DefaultBranch: &main, ScoringDataStored: true,
			HeadSHA: &head, BaseSHA: &base, MergeBaseSHA: &base, Additions: 3,
		})
		w.AddFiles(mirrorsim.Files{
			RepoFullName: "a/b", Number: n, HeadSHA: &head, BaseSHA: &base, MergeBaseSHA: &base, ScoringDataStored: true,
			Files: []mirrorsim.File{{Filename: "p.go", Status: "added", Additions: 3, Changes: 3, HeadContent: &text}},
		})
	}
	for n := range 200 { // with the two above it is one more page
		w.AddPull("102", mirrorsim.Pull{
			RepoFullName: "A/B", Number: 1000 + n, Title: "closed", State: "CLOSED", AuthorGitHubID: "102", AuthorLogin: "m102",
			CreatedAt: seenAt.Add(-48 * time.Hour),
		})
	}
	w.AddRawPull("101", "a/b", 60, seenAt.Add(-2*time.Hour), []byte(`{"repo_full_name": "a/b", "pr_number": 60, "created_at": "`+planted+`"}`))
	return w
}

// guardedRedis is a redis-server that asks for the planted token.
func guardedRedis(t *testing.T) string {
	t.Helper()
	return "redis://:" + planted + "@" + redistest.Start(t, "--requirepass", planted).Address + "/0"
}

// logs wants each line to name its subject: the round, the miner, and the trace by the
// same ids.
func (s *seeing) logs(t *testing.T) {
	t.Helper()
	found := false
	for line := range strings.SplitSeq(s.worker.stderr.String(), "\n") {
		var said struct {
			Msg      string `json:"msg"`
			Round    string `json:"round"`
			UID      int    `json:"uid"`
			Delivery int    `json:"delivery"`
			TraceID  string `json:"trace_id"`
			SpanID   string `json:"span_id"`
		}
		if err := json.Unmarshal([]byte(line), &said); err != nil || said.Msg != "attempt failed" {
			continue
		}
		found = true
		span := s.collector.find("process miner.job", "miner.uid=2")[0]
		if said.Round != s.round || said.UID != 2 || said.Delivery != 1 || said.TraceID != span.trace || said.SpanID != span.id {
			t.Errorf("the log says %s, want round %s, uid 2, delivery 1, trace %s, span %s", line, s.round, span.trace, span.id)
		}
	}
	if !found {
		t.Errorf("the worker's log does not tell of the failed attempt:\n%s", s.worker.stderr)
	}
}

// secrets wants neither the planted token nor a usable part of it anywhere.
func (s *seeing) secrets(t *testing.T) {
	t.Helper()
	const part = "PLANTED"
	seen := 0
	clean := func(where, text string) {
		t.Helper()
		seen++
		if at := strings.Index(text, part); at >= 0 {
			t.Errorf("%s: …%s…", where, text[max(0, at-150):min(len(text), at+80)])
		}
	}
	clean("the producer's output", s.stdout)
	clean("the producer's log", s.stderr)
	clean("the worker's log", s.worker.stderr.String())
	clean("the worker's metrics", s.metrics)
	clean("the producer's metrics", s.ofProducer)
	clean("the collector", s.collector.text())
	for where, text := range kept(t, s.nats, s.round) {
		clean(where, text)
	}
	options := must.Get(redis.ParseURL(s.redis))(t)
	client := redis.NewClient(options)
	defer client.Close()
	for _, key := range client.Keys(t.Context(), "*").Val() {
		clean("redis "+key, fmt.Sprint(key, client.HGetAll(t.Context(), key).Val(), client.Get(t.Context(), key).Val()))
	}
	if seen < 20 || !strings.Contains(s.worker.stderr.String(), "[secret]") && !strings.Contains(s.stdout, "[secret]") {
		t.Errorf("%d texts seen, and nothing was taken out of any: this test looks in the wrong places", seen)
	}
}

// kept is every message of every stream, buckets included, with the unpacked evaluations.
func kept(t *testing.T, address, round string) map[string]string {
	t.Helper()
	nc := must.Get(nats.Connect(address))(t)
	defer nc.Close()
	js := must.Get(jetstream.New(nc))(t)
	all := map[string]string{}
	for info := range js.ListStreams(t.Context()).Info() {
		stream := must.Get(js.Stream(t.Context(), info.Config.Name))(t)
		all[info.Config.Name] = fmt.Sprintf("%+v", info.Config)
		for sequence := info.State.FirstSeq; sequence <= info.State.LastSeq; sequence++ {
			if message, err := stream.GetMsg(t.Context(), sequence); err == nil {
				all[fmt.Sprintf("%s %d %s", info.Config.Name, sequence, message.Subject)] = fmt.Sprint(message.Header, string(message.Data))
			}
		}
	}
	bus := must.Get(jobstream.Open(t.Context(), nc, jobstream.Config{}))(t)
	records := must.Get(bus.Records.List(t.Context(), round))(t)
	for _, record := range records {
		if record.Evaluation == "" {
			continue
		}
		evaluation := must.Get(bus.Evaluations.Load(t.Context(), record.Evaluation))(t)
		all["evaluation "+record.Evaluation] = fmt.Sprintf("%+v", evaluation)
	}
	return all
}

// An error about wrong input must not repeat a secret in that input.
func TestRefusedInputIsNotRepeated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	registry := filepath.Join(dir, "registry.json")
	write(t, registry, `{"a/b": {"emission_share": 0.5}}`)
	for name, miners := range map[string]string{
		"an unknown field":       `[{"uid": 1, "hotkey": "h", "github_id": "5", "access_token": "` + planted + `"}]`,
		"the token as its state": `[{"uid": 1, "hotkey": "h", "github_id": "5", "token": "` + planted + `"}]`,
		"the token as the id":    `[{"uid": 1, "hotkey": "h", "github_id": "` + planted + `"}]`,
		"the token as a miner":   `["` + planted + `"]`,
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".json")
		write(t, file, miners)
		got := run(t, "producer", "run", "--local", "--state", filepath.Join(dir, "state"), "--mirror", "http://127.0.0.1:1", "--miners", file, "--registry", registry)
		if got.code != 2 || strings.Contains(got.stderr, "PLANTED") || !strings.Contains(got.stderr, file) {
			t.Errorf("%s: exit %d, want 2, the file's name and not the token\n%s", name, got.code, got.stderr)
		}
	}
	settings := func(line string) string {
		path := filepath.Join(dir, line[:4]+".yaml")
		write(t, path, line+"\n")
		return path
	}
	for name, args := range map[string][]string{
		"mirror":               {"--mirror", "https://me:" + planted + "@mirror.example"},
		"mirror, user":         {"--mirror", "https://" + planted + "@mirror.example"},
		"mirror, no scheme":    {"--mirror", planted + "@mirror.example"},
		"mirror, no URL":       {"--mirror", "https://me:" + planted + "@mir ror"},
		"jaeger":               {"--jaeger", "https://me:" + planted + "@jaeger.example"},
		"redis":                {"--nats", "nats://x", "--config", settings("redis: redis://me:" + planted + "@127.0.0.1:1/nought")},
		"nats":                 {"--redis", "redis://127.0.0.1:1", "--config", settings("nats: mqtt://me:" + planted + "@127.0.0.1:1")},
		"redis, by a flag":     {"--nats", "nats://x", "--redis", "redis://me:" + planted + "@127.0.0.1:1/0"},
		"nats, by a flag":      {"--nats", "nats://me:" + planted + "@127.0.0.1:1", "--redis", "redis://127.0.0.1:1"},
		"listen":               {"--listen", "nowhere", "--trace"},
		"listen, no such host": {"--nats", "nats://x", "--redis", "redis://x", "--listen", "nowhere.invalid:1"},
	} {
		if !slices.Contains(args, "--nats") && !slices.Contains(args, "--redis") {
			args = append(args, "--local")
		}
		got := run(t, "producer", append([]string{"run", "--miners", filepath.Join(dir, "an-unknown-field.json"), "--registry", registry, "--state", filepath.Join(dir, "state")}, args...)...)
		if got.code != 2 || strings.Contains(got.stderr, "PLANTED") {
			t.Errorf("%s: exit %d, want 2 and not the token\n%s", name, got.code, got.stderr)
		}
	}
}

// A collector that is away costs only the traces. The round is complete, and the log
// mentions the collector seldom. A wrong endpoint is refused, and the error names it.
func TestARoundWithoutItsCollector(t *testing.T) {
	t.Parallel()
	const setting = "OTEL_EXPORTER_OTLP_ENDPOINT"
	wrong := command(t, "producer", "run", "--local", "--state", t.TempDir())
	wrong.Env = append(wrong.Env, setting+"=localhost:4318")
	out, err := wrong.CombinedOutput()
	if code := wrong.ProcessState.ExitCode(); code != 2 || !strings.Contains(string(out), setting) {
		t.Errorf("%s=localhost:4318: exit %d (%v), want 2 and the setting's name\n%s", setting, code, err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	state := t.TempDir()
	cmd := exec.CommandContext(ctx, fleettest.Path(t, "producer"), "run", "--local", "--trace", "--state", state, "--json",
		"--world", "case:"+settledCase)
	cmd.Env = append(os.Environ(), "MIRRORFLEET_GRAMMARS="+fleettest.Grammars(), setting+"=http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TIMEOUT=200")
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("a round without its collector: %v, want it complete\n%s", err, stderr.String())
	}
	for _, want := range []string{"no collector listens", "trace: http://localhost:16686/trace/"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("the producer does not say %q:\n%s", want, stderr.String())
		}
	}
	lines := strings.Count(stderr.String(), "\n")
	for _, name := range []string{"worker-1.log", "worker-2.log"} {
		log := must.Get(os.ReadFile(filepath.Join(state, name)))(t)
		lines += strings.Count(string(log), "\n")
	}
	if maximum := 36; lines > maximum { // some dozen, and the complaints
		t.Errorf("a quiet round has %d lines of log, want at most %d\n%s", lines, maximum, stderr.String())
	}
	if n := strings.Count(stderr.String(), "OpenTelemetry reports a problem"); n > 1 {
		t.Errorf("%d complaints of failed exports within a minute, want one at most\n%s", n, stderr.String())
	}
}

// A worker that waits for its servers counts as alive, and says which server it waits
// for.
func TestAWaitingWorkerIsAliveAndNotReady(t *testing.T) {
	t.Parallel()
	cmd := command(t, "worker", "--nats", "nats://127.0.0.1:1", "--redis", "redis://127.0.0.1:1", "--listen", "127.0.0.1:0")
	stderr := &watched{want: "waiting for NATS", seen: make(chan struct{})}
	cmd.Stderr = stderr
	must.Do(t, cmd.Start())
	defer func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() }()
	select {
	case <-stderr.seen:
	case <-time.After(time.Minute):
		t.Fatalf("the worker does not wait:\n%s", stderr)
	}
	_, after, _ := strings.Cut(stderr.String(), `"address":"`)
	address, _, _ := strings.Cut(after, `"`)
	if status, body := page(t, address, "/healthz", ""); status != http.StatusOK {
		t.Errorf("/healthz: %d %s, want 200", status, body)
	}
	status, body := page(t, address, "/readyz", "")
	want := `{"ready":false,"parts":{"grammars":"ok","nats":"not there yet","process":"ok","redis":"not there yet"}}`
	if status != http.StatusServiceUnavailable || strings.TrimSpace(body) != want {
		t.Errorf("/readyz: %d %s, want 503 and %s", status, body, want)
	}
}
