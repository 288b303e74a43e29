package browser_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
)

func TestMain(m *testing.M) { fleettest.Main(m, fleettest.Build{}) }

// fleet is a local round of the demo world, some of whose requests fail for good, with the
// dashboard beside it.
type fleet struct {
	site  string // the dashboard's address, without a stroke at its end
	round string
	token string
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
	address = regexp.MustCompile(`dashboard: (http://127\.0\.0\.1:\d+)/`)
	named   = regexp.MustCompile(`\d{8}t\d{6}z-[0-9a-f]{6}`)
)

// start runs a round with more flags. The test's end stops it.
func start(t *testing.T, flags ...string) *fleet {
	t.Helper()
	sim := fleettest.Simulate(t, "--limit", "0", "--fault", "400=0.03", "--seed", "4")
	state := t.TempDir()
	cmd := fleettest.Command(t.Context(), t, "producer", append([]string{"run", "--local", "--state", state, "--web", "127.0.0.1:0",
		"--mirror", sim.URL, "--miners", sim.Miners, "--registry", sim.Registry, "--as-of", sim.AsOf}, flags...)...)
	said := &words{want: address, found: make(chan []string, 1)}
	cmd.Stdout, cmd.Stderr = said, said
	must.Do(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("the producer said:\n%s", said)
		}
	})
	f := &fleet{}
	select {
	case match := <-said.found:
		f.site = match[1]
	case err := <-ended:
		ended <- err
		t.Fatalf("the round ended before it told where the dashboard is: %v\n%s", err, said)
	}
	f.token = strings.TrimSpace(string(must.Get(os.ReadFile(filepath.Join(state, "api-token")))(t)))
	return f
}

// named waits until the dashboard lists the round, and notes its name.
func (f *fleet) named(b *tab) {
	b.t.Helper()
	for f.round == "" {
		b.goes("/")
		f.round = named.FindString(b.text("main"))
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
