package browser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
)

func TestMain(m *testing.M) { fleettest.Main(m, fleettest.Build{}) }

// fleet is an installation over the demo world: a producer that leads the schedule and serves
// the dashboard, a standby, and workers once they are wanted. Requests that fail in that world
// fail for good, one miner's list among them, and so do some others. The next turn is hours
// away. Its warm-up begins at once, and waits for the workers.
type fleet struct {
	site  string // the dashboard's address, without a stroke at its end
	round string
	token string
	turn  time.Time // of the schedule, the next one

	servers []string // the flags of every process
	mirror  fleettest.Mirror
}

// words collects what a process prints, and tells of the first match of a pattern.
type words struct {
	mu    sync.Mutex
	text  bytes.Buffer
	want  *regexp.Regexp
	found chan []string
}

func (w *words) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(data)
	if w.want != nil {
		if match := w.want.FindStringSubmatch(w.text.String()); match != nil {
			w.want = nil
			w.found <- match
		}
	}
	return len(data), nil
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

var (
	address = regexp.MustCompile(`"msg":"serving the API"[^\n]*"address":"(127\.0\.0\.1:\d+)"`)
	begun   = regexp.MustCompile(`elapsed|the mirror .* cannot be used`)
	named   = regexp.MustCompile(`\d{8}t\d{6}z-[0-9a-f]{6}`)
)

// start starts the fleet. The test's end stops it.
func start(t *testing.T) *fleet {
	t.Helper()
	servers := jobstreamtest.Start(t)
	f := &fleet{
		token:  "PLANTED-0123456789-ann",
		mirror: fleettest.Simulate(t, "--limit", "0", "--case-fault", "400", "--fault", "400=0.03", "--seed", "4"),
	}
	f.servers = []string{"--nats", servers.NATSURL(), "--redis", servers.RedisURL(), "--mirror", f.mirror.URL,
		"--limit-requests", "240", "--limit-horizon", "1s"}
	token := filepath.Join(t.TempDir(), "token")
	must.Do(t, os.WriteFile(token, []byte(f.token), 0o600))
	f.turn = time.Now().UTC().Add(3 * time.Hour).Truncate(time.Minute)
	schedule := append(f.installed(t), "--cron", f.turn.Format("4 15 * * *"), "--warm-up", "4h", "--warm-up-share", "0.1")
	f.site = "http://" + f.begins(t, address, "producer", slices.Concat([]string{"serve"}, schedule,
		[]string{"--api", "127.0.0.1:0", "--api-token-file", "ann=" + token})...)[1]
	f.begins(t, nil, "producer", append([]string{"serve"}, schedule...)...)
	return f
}

// begins starts a process of the fleet, which ends with the test, and waits until it says
// what is wanted of it; nil wants nothing.
func (f *fleet) begins(t *testing.T, want *regexp.Regexp, name string, args ...string) (said []string) {
	t.Helper()
	cmd := fleettest.Command(t.Context(), t, name, append(args, f.servers...)...)
	log := &words{want: want, found: make(chan []string, 1)}
	cmd.Stdout, cmd.Stderr = log, log
	must.Do(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", name, log)
		}
	})
	if want == nil {
		return nil
	}
	select {
	case said = <-log.found:
	case err := <-ended:
		ended <- err
		t.Fatalf("%s ended before it said %s: %v\n%s", name, want, err, log)
	}
	return said
}

// installed writes what a validator has of the world's miners, and serves what GitHub answers
// to their tokens. It returns the flags that name both.
func (f *fleet) installed(t *testing.T) (flags []string) {
	t.Helper()
	type stored struct {
		UID    int    `json:"uid"`
		Hotkey string `json:"hotkey"`
		Token  string `json:"pat"`
	}
	var miners []input.Miner
	must.Do(t, json.Unmarshal(must.Get(os.ReadFile(f.mirror.Miners))(t), &miners))
	tokens := []stored{}
	hotkeys := map[int]string{}
	accounts := map[string]string{}
	for _, m := range miners {
		one := stored{m.UID, m.Hotkey, fmt.Sprint("simulated-", m.UID)}
		tokens = append(tokens, one)
		hotkeys[m.UID] = m.Hotkey
		accounts[one.Token] = m.GitHubID
	}
	gitHub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "token ")
		fmt.Fprintf(w, `{"login": "miner", "id": %s}`, accounts[token])
	}))
	t.Cleanup(gitHub.Close)
	dir := t.TempDir()
	flags = []string{"--github", gitHub.URL, "--registry", f.mirror.Registry}
	for flag, value := range map[string]any{"tokens": tokens, "metagraph": hotkeys} {
		file := filepath.Join(dir, flag)
		must.Do(t, os.WriteFile(file, must.Get(json.Marshal(value))(t), 0o600))
		flags = append(flags, "--"+flag, file)
	}
	return flags
}

// works begins the workers.
func (f *fleet) works(t *testing.T) {
	t.Helper()
	for _, name := range []string{"w1", "w2"} {
		f.begins(t, nil, "worker", "--name", name, "--slots", "2")
	}
}

// runs begins a round by hand, of the world's own instant. The mirror refuses three requests
// of a hundred, and the first look at it may be one of them: then the round is begun again.
func (f *fleet) runs(t *testing.T) {
	t.Helper()
	for range 5 {
		said := f.begins(t, begun, "producer", "run", "--miners", f.mirror.Miners, "--registry", f.mirror.Registry, "--as-of", f.mirror.AsOf)
		if !strings.Contains(said[0], "mirror") {
			return
		}
	}
	t.Fatal("the mirror refused the first look at it five times")
}

// named waits until the dashboard lists the round, and notes its name.
func (f *fleet) named(b *tab) {
	b.t.Helper()
	for since := time.Now(); f.round == ""; {
		b.goes("/")
		shown := b.text("main")
		if f.round = named.FindString(shown); f.round == "" && time.Since(since) > patience {
			b.t.Fatalf("no round is listed within %s; the page shows:\n%s", patience, shown)
		}
	}
}

// concluded waits until the round has an outcome, and its page moves no more: it loads itself
// anew at the end.
func (f *fleet) concluded(b *tab) {
	b.t.Helper()
	f.named(b)
	b.goes("/rounds/" + f.round)
	b.until("the end of the round", `!document.body.dataset.live && /complete|incomplete/.test(document.querySelector("main .head .badge").textContent)`)
}
