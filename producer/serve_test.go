package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/ratelimit/redistest"
	"mirrorfleet/shared/scoring/input"
)

// installation is what a validator has: its two files, and a GitHub that knows
// its miners' tokens.
type installation struct {
	tokens, metagraph, registry, github string
	// all is the tokens file as it should be.
	all string
	// failed is what becomes of each uid that does not take part.
	failed map[int]input.Failure
}

// tokenOf is a miner's planted token.
func tokenOf(uid int) string { return fmt.Sprintf("%s%d", planted, uid) }

// install writes the files: the miners of a world, and one for each case of
// docs/rules/scoring.md#miners.
func install(t *testing.T, world *mirrorsim.World) *installation {
	t.Helper()
	dir := t.TempDir()
	_, registry, err := world.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	i := &installation{
		tokens: filepath.Join(dir, "miner_pats.json"), metagraph: filepath.Join(dir, "metagraph.json"), registry: registry,
		failed: map[int]input.Failure{
			0: input.RecycleMiner, 200: input.NoHotkey, 201: input.NoStoredToken, 202: input.HotkeyChanged,
			203: input.TokenNotAccepted, 205: input.IdentityUnreachable, 206: input.SharedAccount, 207: input.SharedAccount,
		},
	}
	type stored struct {
		UID      int     `json:"uid"`
		Hotkey   string  `json:"hotkey"`
		Token    string  `json:"pat"`
		GitHubID *string `json:"github_id"`
		At       string  `json:"stored_at"`
	}
	recorded := "20400000"
	hotkeys, list, accounts := map[string]string{}, []stored{}, map[string]string{}
	add := func(uid int, hotkey, storedFor, account string, recorded *string) {
		hotkeys[fmt.Sprint(uid)] = hotkey
		if storedFor != "" {
			list = append(list, stored{uid, storedFor, tokenOf(uid), recorded, "2026-05-01T10:00:00+00:00"})
		}
		accounts[tokenOf(uid)] = account
	}
	for _, m := range world.Miners {
		add(m.UID, m.Hotkey, m.Hotkey, m.GitHubID, nil)
	}
	add(200, "", "h200", "200", nil)
	add(201, "h201", "", "201", nil)
	add(202, "h202", "former", "202", nil)
	add(203, "h203", "h203", "refused", &recorded)
	add(204, "h204", "h204", "limited", &recorded)
	add(205, "h205", "h205", "limited", nil)
	add(206, "h206", "h206", "20600000", nil)
	add(207, "h207", "h207", "20600000", nil)
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	exported, err := json.Marshal(map[string]any{"exported_at": time.Now().UTC(), "hotkeys": hotkeys})
	if err != nil {
		t.Fatal(err)
	}
	i.all = string(data)
	write(t, i.tokens, i.all)
	write(t, i.metagraph, string(exported))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "token ")
		switch account := accounts[token]; account {
		case "", "refused":
			http.Error(w, `{"message": "Bad credentials: `+token+`"}`, http.StatusUnauthorized)
		case "limited":
			w.Header().Set("X-Ratelimit-Remaining", "0")
			http.Error(w, `{"message": "API rate limit exceeded for `+token+`"}`, http.StatusForbidden)
		default:
			fmt.Fprintf(w, `{"login": "m", "id": %s}`, account)
		}
	}))
	t.Cleanup(server.Close)
	i.github = server.URL
	return i
}

func (i *installation) flags() []string {
	return []string{"--tokens", i.tokens, "--metagraph", i.metagraph, "--registry", i.registry, "--github", i.github}
}

// server is a `producer serve`.
type server struct {
	*exec.Cmd

	log *watched
}

func serve(t *testing.T, env []string, args ...string) *server {
	t.Helper()
	return serveAs(t, uint32(os.Getuid()), env, args...)
}

func serveAs(t *testing.T, user uint32, env []string, args ...string) *server {
	t.Helper()
	s := &server{command(t, "producer", append([]string{"serve"}, args...)...), watch("health and metrics")}
	s.Env = append(s.Env, env...)
	as(s, user)
	s.Stderr = s.log
	s.Stdout = s.log
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.ProcessState == nil {
			_ = s.Process.Kill()
			_ = s.Wait()
		}
		if t.Failed() {
			t.Logf("%v:\n%s", args, s.log)
		}
	})
	return s
}

// page reads one of its pages.
func (s *server) page(t *testing.T, path string) (int, string) {
	t.Helper()
	<-s.log.seen
	_, after, _ := strings.Cut(s.log.String(), `"address":"`)
	address, _, _ := strings.Cut(after, `"`)
	return page(t, address, path, "")
}

// checkAPI reads a round's rewards and the bucket over the API, and has it replayed: without
// the token it may not be, and there is nothing to be run again.
func (s *server) checkAPI(t *testing.T, r outcome.Result) {
	t.Helper()
	address := s.apiAddress()
	ask := func(method, path, token string) (int, string) {
		answer := nettest.Ask(t, method, "http://"+address+"/api/v1/"+path, "{}", "Authorization", "Bearer "+token)
		noToken(t, path, answer.Body)
		return answer.Status, answer.Body
	}
	for path, schema := range map[string]string{"rounds/" + r.Round + "/rewards": "Rewards", "limit": "Bucket"} {
		status, body := ask(http.MethodGet, path, "")
		if err := webtest.Printed(schema, body); err != nil || status != http.StatusOK {
			t.Errorf("%s: %d, %v: %s", path, status, err, body)
		}
	}
	replay := "rounds/" + r.Round + "/replay"
	if status, body := ask(http.MethodPost, replay, "another "+planted); status != http.StatusUnauthorized {
		t.Errorf("a replay with another token: %d %s", status, body)
	}
	if status, body := ask(http.MethodPost, replay, planted); status != http.StatusAccepted {
		t.Errorf("a replay: %d %s", status, body)
	}
	until(t, "the replay has ended", s.says("a replay has ended"))
}

// apiAddress is where the process says that its API is.
func (s *server) apiAddress() string {
	_, after, _ := strings.Cut(s.log.String(), `"msg":"the API"`)
	_, after, _ = strings.Cut(after, `"address":"`)
	address, _, _ := strings.Cut(after, `"`)
	return address
}

// checkSecureAPI reads the rewards over TLS: with the read token, and not without; that
// token has nothing replayed.
func (s *server) checkSecureAPI(t *testing.T, files certs.Files, readToken string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: must.Get(files.Client())(t), DisableKeepAlives: true}
	for _, c := range []struct {
		method, path, token string
		want                int
	}{
		{http.MethodGet, "rewards", "", http.StatusUnauthorized},
		{http.MethodGet, "rewards", readToken + "x", http.StatusUnauthorized},
		{http.MethodGet, "rewards", readToken, http.StatusOK},
		{http.MethodPost, "replay", readToken, http.StatusUnauthorized},
	} {
		request := must.Get(http.NewRequestWithContext(t.Context(), c.method, "https://"+s.apiAddress()+"/api/v1/rounds/latest/"+c.path, nil))(t)
		request.Header.Set("Authorization", "Bearer "+c.token)
		response, err := transport.RoundTrip(request)
		must.Do(t, err)
		must.Do(t, response.Body.Close())
		if response.StatusCode != c.want {
			t.Errorf("%s %s with token %q: %d, want %d", c.method, c.path, c.token, response.StatusCode, c.want)
		}
	}
}

func (s *server) says(what string) func() bool {
	return func() bool { return strings.Contains(s.log.String(), what) }
}

// stop sends SIGTERM and wants exit code 0.
func (s *server) stop(t *testing.T) {
	t.Helper()
	_ = s.Process.Signal(syscall.SIGTERM)
	if err := s.Wait(); err != nil {
		t.Errorf("SIGTERM: %v, want exit code 0\n%s", err, s.log)
	}
}

func (s *server) kill() {
	_ = s.Process.Kill()
	_ = s.Wait()
}

// concluded waits until as many rounds have an outcome, and returns the latest.
func concluded(t *testing.T, bus *jobstream.Bus, n int) outcome.Result {
	t.Helper()
	var names []string
	until(t, fmt.Sprintf("%d rounds are concluded", n), func() bool {
		var err error
		if names, err = bus.Rounds.Concluded(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(names) >= n
	})
	return outcomeOf(t, bus, names[n-1])
}

func outcomeOf(t *testing.T, bus *jobstream.Bus, name string) outcome.Result {
	t.Helper()
	result, err := outcome.Latest(t.Context(), bus, name)
	if err != nil || result.Revision == 0 {
		t.Fatalf("round %s: revision %d, %v", name, result.Revision, err)
	}
	return result
}

// Rounds follow each other; files that are half-written put one off, and it says
// so; the producer that leads is killed in the middle of a round, the one that
// stands by goes on with it, and with the schedule. Every case of
// docs/rules/scoring.md#miners is in the outcome, and no token is in anything that came out.
func TestServe(t *testing.T) {
	t.Parallel()
	world, sim := soundWorld(t, 0, 4)
	redis := redistest.Start(t)
	nats, bus := leased(t, 5*time.Second)
	i := install(t, world)
	common := []string{"--nats", nats, "--redis", redis.URL(), "--mirror", sim.URL, "--limit-horizon", "1s", "--log-level", "debug"}
	seen := &collector{}
	otlp := httptest.NewServer(seen)
	t.Cleanup(otlp.Close)
	env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + otlp.URL, "OTEL_METRIC_EXPORT_INTERVAL=1000"}
	worker := work(t, "server", env, common...)
	args := append(append(i.flags(), common...), "--every", "2s", "--takeover", "2s", "--reconcile", "1s", "--listen", "127.0.0.1:0",
		"--api", "127.0.0.1:0", "--api-token-file", filepath.Join(t.TempDir(), "token"))
	write(t, args[len(args)-1], planted+"\n")
	dueAt := dieWithATurn(t, bus, env, args)
	first := serve(t, env, args...)
	began := concluded(t, bus, 1)
	i.checkCases(t, began)
	first.checkAPI(t, began)
	until(t, "the turn is another", func() bool {
		turn, _, err := bus.Schedule.Turn(t.Context())
		return err == nil && turn.Due.After(dueAt)
	})

	write(t, i.tokens, i.all[:len(i.all)/2])
	until(t, "a round is put off", first.says("the round is put off"))
	if status, body := first.page(t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "breaks off") {
		t.Errorf("/readyz while a round is put off: %d %s", status, body)
	}
	before, err := bus.Rounds.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, i.tokens, i.all)
	late := concluded(t, bus, len(before)+1)
	if len(late.Notes) == 0 || !strings.Contains(strings.Join(late.Notes, "\n"), "put off for") {
		t.Errorf("the round that was put off says %q", late.Notes)
	}

	second := serve(t, env, args...)
	until(t, "the second producer stands by", second.says("standing by"))
	name := killInMidRound(t, bus, first)
	killed := time.Now()
	until(t, "the second leads", second.says("leading: rounds are begun"))
	t.Logf("the second leads %s after the first was killed; --takeover is 2s", time.Since(killed).Round(10*time.Millisecond))
	until(t, "the round is gone on with", func() bool {
		names, err := bus.Rounds.Concluded(t.Context())
		return err == nil && slices.Contains(names, name)
	})
	i.checkCases(t, outcomeOf(t, bus, name))
	if !second.says("resuming the round of the last turn")() {
		t.Error("the second producer does not say that it resumes the round")
	}
	names, err := bus.Rounds.Concluded(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	concluded(t, bus, len(names)+1)
	_, metrics := second.page(t, "/metrics")
	second.stop(t)
	worker.stop()
	checkRounds(t, bus)
	outputs := map[string]string{
		"the first producer's log": first.log.String(), "the second's": second.log.String(), "the worker's": worker.stderr.String(),
		"the metrics": metrics, "the collector": seen.text(),
	}
	maps.Copy(outputs, kept(t, nats, name))
	maps.Copy(outputs, unpacked(t, bus))
	for where, text := range outputs {
		noToken(t, where, text)
	}
	if len(outputs["the collector"]) < 1000 || len(outputs["manifest "+name]) < 1000 || len(outputs["outcome "+name]) < 1000 {
		t.Error("nothing was seen of what the collector, a manifest or an outcome holds: this test looks in the wrong places")
	}
	if worst := sim.Stats().Worst; worst.Fixed > 50 || worst.Sliding > 50 || worst.TwoWindow > 50 {
		t.Errorf("worst ten seconds %+v, want at most 50", worst)
	}
}

// unpacked is what is kept compressed: the manifests and outcomes of all rounds.
func unpacked(t *testing.T, bus *jobstream.Bus) map[string]string {
	t.Helper()
	all := map[string]string{}
	names, err := bus.Rounds.Concluded(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		m, err := bus.Rounds.Manifest(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		outcome, err := bus.Outcomes.Load(t.Context(), name, 1)
		if err != nil {
			t.Fatal(err)
		}
		all["manifest "+name], all["outcome "+name] = string(data), string(outcome)
	}
	return all
}

func noToken(t *testing.T, where, text string) {
	t.Helper()
	if at := strings.Index(text, "PLANTED"); at >= 0 {
		t.Errorf("a token in %s: …%s…", where, text[max(0, at-150):min(len(text), at+80)])
	}
}

// dieWithATurn has a producer die between its turn and its round, and returns
// when the turn was due.
func dieWithATurn(t *testing.T, bus *jobstream.Bus, env, args []string) time.Time {
	t.Helper()
	doomed := serve(t, append(slices.Clone(env), crash.Env+"="+crash.Setting(crash.TurnTaken, 1)), args...)
	_ = doomed.Wait()
	turn, _, err := bus.Schedule.Turn(t.Context())
	if err != nil || turn.Round == "" {
		t.Fatalf("the turn of the producer that died: %+v, %v\n%s", turn, err, doomed.log)
	}
	if _, err := bus.Rounds.Manifest(t.Context(), turn.Round); !errors.Is(err, jobstream.ErrNotFound) {
		t.Fatalf("the round of the producer that died: %v, want none", err)
	}
	return turn.Due
}

// killInMidRound kills a producer when its round has jobs under way, and returns
// the round.
func killInMidRound(t *testing.T, bus *jobstream.Bus, s *server) (name string) {
	t.Helper()
	until(t, "a round is under way", func() bool {
		turn, _, err := bus.Schedule.Turn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		name = turn.Round
		records, err := bus.Records.List(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		open := 0
		for _, r := range records {
			if !r.Phase.Ended() {
				open++
			}
		}
		return open > 2
	})
	s.kill()
	return name
}

// checkCases wants what docs/rules/scoring.md#miners says of each miner.
func (i *installation) checkCases(t *testing.T, r outcome.Result) {
	t.Helper()
	got := map[int]input.Failure{}
	for _, m := range r.Outcome.Miners {
		if m.Failed != "" {
			got[m.UID] = m.Failed
		}
		if m.UID == 204 && (m.GitHubID != "20400000" || !m.FetchFailed) {
			t.Errorf("miner 204: account %q, loaded %v; want the recorded one, with nothing loaded", m.GitHubID, !m.FetchFailed)
		}
	}
	if diff := cmp.Diff(i.failed, got); diff != "" {
		t.Errorf("round %s: who does not take part (-want +got):\n%s", r.Round, diff)
	}
	if want := "GitHub did not say whose account the tokens of miners [204 205] are"; !strings.Contains(strings.Join(r.Notes, "\n"), want) {
		t.Errorf("round %s: notes %q, want one that says %q", r.Round, r.Notes, want)
	}
}

// checkRounds audits every round: one outcome each, and every job accounted for
// once.
func checkRounds(t *testing.T, bus *jobstream.Bus) {
	t.Helper()
	names, err := bus.Rounds.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unended := 0
	for _, name := range names {
		held, err := bus.Inventory(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if len(held.Outcomes) == 0 {
			unended++
			continue
		}
		if a := audit.Of(held); !a.Holds() || a.Outstanding != 0 || len(held.Outcomes) != 1 {
			t.Errorf("round %s: %s, outcomes %v, %v", name, a, held.Outcomes, a.Discrepancies)
		}
	}
	if unended > 1 {
		t.Errorf("%d rounds have not ended, want the last one at most", unended)
	}
}

// One machine: the servers inside, workers beside, and all of it ends with it.
func TestServeLocal(t *testing.T) {
	t.Parallel()
	world, sim := soundWorld(t, 0, 4)
	i, state := install(t, world), t.TempDir()
	args := append(i.flags(), "--local", "--state", state, "--mirror", sim.URL, "--workers", "1", "--every", "1h")
	one := serve(t, nil, args...)
	until(t, "a round is concluded", one.says("the round is concluded"))
	until(t, "it waits for the next", one.says("waiting for the next turn"))
	one.stop(t)
	for _, once := range []string{
		"beginning a round", "the round's jobs run", "half of the round's jobs have ended", "every job of the round has ended: concluding it",
		"the round is concluded", "waiting for the next turn", "stopped: no round was under way",
	} {
		if n := strings.Count(one.log.String(), once); n != 1 {
			t.Errorf("the log of one round says %d times %q, want once\n%s", n, once, one.log.String())
		}
	}
	again := serve(t, nil, append(args, "--every", "3h")...)
	until(t, "it tells the next turn by its new interval", func() bool {
		said := again.log.String()
		return strings.Contains(said, "waiting for the next turn") && strings.Contains(said, `"in":"2h`)
	})
	again.stop(t)
	shown := run(t, "producer", "show", "latest", "--local", "--state", state)
	if shown.code != 0 || !strings.Contains(shown.stdout, "shared account") {
		t.Errorf("show: exit %d\n%s%s", shown.code, shown.stdout, shown.stderr)
	}
	files := 0
	err := filepath.WalkDir(state, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files++
		noToken(t, path, string(data))
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files in the state directory, %v; this test does not see them", files, err)
	}
	noToken(t, "the log", one.log.String())
}

// What is wrong from the start is said at once, with what would be right.
func TestServeRefuses(t *testing.T) {
	t.Parallel()
	i := install(t, demo(t))
	broken := filepath.Join(t.TempDir(), "registry.json")
	write(t, broken, `{"a/b": {"emission_share": 2}}`)
	servers := []string{"--nats", "nats://127.0.0.1:1", "--redis", "redis://127.0.0.1:1"}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"nothing":              {nil, []string{"--nats and --redis"}},
		"no tokens":            {servers, []string{"--tokens is required"}},
		"no registry":          {append([]string{"--tokens", i.tokens, "--metagraph", i.metagraph}, servers...), []string{"--registry is required"}},
		"a file that is not":   {append(append(i.flags(), servers...), "--tokens", "/nowhere/pats.json"), []string{"--tokens", "/nowhere/pats.json"}},
		"a broken registry":    {append(append(i.flags(), servers...), "--registry", broken), []string{"emission_share"}},
		"interval and cron":    {append(append(i.flags(), servers...), "--every", "2h", "--cron", "0 * * * *"), []string{"--every and --cron"}},
		"no cron":              {append(append(i.flags(), servers...), "--cron", "TZ=0"), []string{"--cron", "--timezone"}},
		"a zone of no cron":    {append(append(i.flags(), servers...), "--timezone", "Europe/Berlin"), []string{"--timezone"}},
		"no zone":              {append(append(i.flags(), servers...), "--cron", "0 * * * *", "--timezone", "Middle/Earth"), []string{"Middle/Earth"}},
		"too short":            {append(append(i.flags(), servers...), "--every", "10ms"), []string{"10ms", "at least 1s"}},
		"kept for too short":   {append(append(i.flags(), servers...), "--keep", "1m"), []string{"1m", "at least 1h"}},
		"a mirror that is not": {append(append(i.flags(), servers...), "--mirror", "x"), []string{"--mirror"}},
		"local and servers":    {append(append(i.flags(), servers...), "--local"), []string{"--local"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := run(t, "producer", append([]string{"serve", "--connect-timeout", "1s"}, c.args...)...)
			if got.code != 2 {
				t.Errorf("exit %d, want 2: %s", got.code, got.stderr)
			}
			for _, want := range c.want {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("%q does not name %q", got.stderr, want)
				}
			}
			noToken(t, "the error", got.stderr)
		})
	}
}
