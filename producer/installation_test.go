package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/scoring/input"
)

// installation is a validator's: its two files, and a GitHub that knows its miners'
// tokens.
type installation struct {
	tokens, metagraph, registry, github string
	// all is the complete tokens file.
	all string
	// failed is the rule by uid for each miner that does not take part.
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
	hotkeys := map[string]string{}
	list := []stored{}
	accounts := map[string]string{}
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

// page reads one of the server's pages.
func (s *server) page(t *testing.T, path string) (int, string) {
	t.Helper()
	<-s.log.seen
	_, after, _ := strings.Cut(s.log.String(), `"address":"`)
	address, _, _ := strings.Cut(after, `"`)
	return page(t, address, path, "")
}

// checkAPI reads a round's rewards and the bucket over the API. A replay is refused
// without the token. With it, there is nothing to run again.
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

// apiAddress is the address that the process logs for its API.
func (s *server) apiAddress() string {
	_, after, _ := strings.Cut(s.log.String(), `"msg":"serving the API"`)
	_, after, _ = strings.Cut(after, `"address":"`)
	address, _, _ := strings.Cut(after, `"`)
	return address
}

// checkSecureAPI reads the rewards over TLS. This needs the read token, and that token
// cannot start a replay.
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

// concluded waits until so many rounds have an outcome, and returns the latest.
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
