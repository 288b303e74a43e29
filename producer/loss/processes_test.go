package loss_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
)

// processes is a fleet of real ones, at servers that are the test's.
type processes struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the test's own, with its patience
	servers *jobstreamtest.Servers
	mirror  fleettest.Mirror
	bus     *jobstream.Bus
	common  []string
	miners  []input.Miner
}

// startProcesses starts the servers, the mirror, and one worker that is started
// again whenever it ends.
func startProcesses(t *testing.T) *processes {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Minute, errors.New("the scenario did not end"))
	t.Cleanup(cancel)
	p := &processes{t: t, ctx: ctx, servers: jobstreamtest.Start(t)}
	p.mirror = fleettest.Simulate(t, "--limit", "0", "--latency", "uniform:1ms,20ms")
	must.Do(t, json.Unmarshal(must.Get(os.ReadFile(p.mirror.Miners))(t), &p.miners))
	p.bus, _ = jobstreamtest.Open(t, p.servers.NATSURL(), jobstream.Config{AckWait: 2 * time.Second})
	p.common = []string{
		"--nats", p.servers.NATSURL(), "--redis", p.servers.RedisURL(), "--mirror", p.mirror.URL, "--limit-requests", "2000", "--limit-horizon", "1s",
	}
	p.keep("worker", append([]string{"--slots", "2", "--children", "1"}, p.common...)...)
	return p
}

// keep keeps a command running until the test ends, and wants it to end in order
// then.
func (p *processes) keep(name string, args ...string) {
	p.t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(p.ctx))
	var words bytes.Buffer
	ended := make(chan struct{})
	path := fleettest.Path(p.t, name)
	args, env := fleettest.Arguments(args)
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, path, args...)
			cmd.Env = append(append(os.Environ(), "MIRRORFLEET_GRAMMARS="+fleettest.Grammars()), env...)
			cmd.Stdout, cmd.Stderr = &words, &words
			cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
			cmd.WaitDelay = 30 * time.Second
			err := cmd.Run()
			fmt.Fprintf(&words, "=== %s ended: %v\n", name, err)
		}
	}()
	p.t.Cleanup(func() {
		stop()
		<-ended
		if p.t.Failed() {
			p.t.Logf("%s: …%s", name, words.Bytes()[max(0, words.Len()-6000):])
		}
	})
}

// command is one of the producer's, to its end.
func (p *processes) command(args ...string) (code int, stdout, stderr string) {
	p.t.Helper()
	cmd := fleettest.Command(p.ctx, p.t, "producer", args...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("%v: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), words.String()
}

// run runs a round by `producer run`, again and again until it has ended: the one that
// was begun, and when that cannot be resumed, another.
func (p *processes) run(where ...string) outcome.Result { p.t.Helper(); return p.ends(false, where) }

// resume is run for a round that was begun before.
func (p *processes) resume(where ...string) outcome.Result { p.t.Helper(); return p.ends(true, where) }

func (p *processes) ends(begun bool, where []string) outcome.Result {
	p.t.Helper()
	var said strings.Builder
	for p.ctx.Err() == nil {
		how := []string{"--miners", p.mirror.Miners, "--registry", p.mirror.Registry, "--as-of", p.mirror.AsOf}
		if begun {
			how = []string{"--resume", "latest"}
		}
		_, stdout, stderr := p.command(slices.Concat([]string{"run", "--json", "--takeover", "2s", "--reconcile", "1s"}, where, how)...)
		if result, err := outcome.Decode([]byte(stdout)); err == nil && result.Revision > 0 {
			return result
		}
		fmt.Fprintf(&said, "%s\n===\n", stderr[max(0, len(stderr)-1500):])
		begun = !begun
	}
	p.t.Fatalf("the round did not end: %s", said.String())
	return outcome.Result{}
}

// midRound does something as soon as jobs of a round have ended while others have
// not.
func (p *processes) midRound(after string, do func()) (wait func()) {
	p.t.Helper()
	var acting sync.WaitGroup
	acting.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for p.ctx.Err() == nil {
			if names, err := p.bus.Rounds.List(p.ctx); err == nil && len(names) > 0 && names[len(names)-1] > after && p.open(names[len(names)-1]) {
				do()
				return
			}
			<-ticker.C
		}
	})
	return acting.Wait
}

// open says whether a round has jobs that have ended, and others.
func (p *processes) open(name string) bool {
	records, err := p.bus.Records.List(p.ctx, name)
	ended := 0
	for _, r := range records {
		if r.Phase.Ended() {
			ended++
		}
	}
	return err == nil && ended > 1 && ended < len(records)-2
}

// concludedAsIfNothing wants the undisturbed outcome, or one that says what it lacks.
func (p *processes) concludedAsIfNothing(got, want outcome.Result) {
	p.t.Helper()
	if outcomeText(p.t, got) != outcomeText(p.t, want) && got.Complete {
		p.t.Errorf("round %s: another outcome than the undisturbed one, and it says that it is complete", got.Round)
	}
	held := must.Get(p.bus.Inventory(p.ctx, got.Round))(p.t)
	if a := audit.Of(held); !a.Holds() || a.Outstanding > 0 {
		p.t.Errorf("round %s: %s, %v", got.Round, a, a.Discrepancies)
	}
	p.t.Logf("round %s: complete %t, mended %v", got.Round, got.Complete, got.Mended)
}

// shown wants the lists and pages of rounds to work.
func (p *processes) shown(where ...string) {
	p.t.Helper()
	for _, args := range [][]string{{"rounds"}, {"rounds", "--json"}, {"show", "latest"}} {
		code, stdout, stderr := p.command(append(args, where...)...)
		if code > 1 || stdout == "" {
			p.t.Errorf("producer %s: exit %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
		}
	}
}

// done does something to a stream as an operator.
func (p *processes) done(a act) func() {
	p.t.Helper()
	_, js := jobstreamtest.Connect(p.t, p.servers.NATSURL(), nil)
	return func() { must.Check(p.t, a.do(p.ctx, js, a.stream)) }
}

// act is one thing that an operator does to one stream.
type act struct {
	hand

	stream string
}

func (a act) String() string { return a.stream + " is " + a.what }

// acts are all that there are if all combinations are asked for, and otherwise one.
func acts(what, stream string) []act {
	var some []act
	for _, h := range hands {
		for _, name := range streams {
			if all() || h.what == what && name == stream {
				some = append(some, act{h, name})
			}
		}
	}
	return some
}

// TestAnOperatorsHandUnderRun: by real processes, under `producer run`.
func TestAnOperatorsHandUnderRun(t *testing.T) {
	t.Parallel()
	for _, a := range acts("deleted", "KV_RECORDS") {
		t.Run(a.String(), func(t *testing.T) {
			t.Parallel()
			p := startProcesses(t)
			want := p.run(p.common...)
			wait := p.midRound(want.Round, p.done(a))
			got := p.run(p.common...)
			wait()
			p.concludedAsIfNothing(got, want)
			p.concludedAsIfNothing(p.run(p.common...), want)
			p.shown("--nats", p.servers.NATSURL())
		})
	}
}

// TestAnOperatorsHandUnderServe: the same under `producer serve`, which nobody starts
// again by hand.
func TestAnOperatorsHandUnderServe(t *testing.T) {
	t.Parallel()
	for _, a := range acts("overwritten", "KV_ROUNDS") {
		t.Run(a.String(), func(t *testing.T) {
			t.Parallel()
			p := startProcesses(t)
			wait := p.midRound("", p.done(a))
			p.keep("producer", slices.Concat([]string{"serve", "--every", "3s", "--takeover", "2s", "--reconcile", "1s"}, p.install(), p.common)...)
			wait()
			before := must.Get(p.bus.Rounds.List(p.ctx))(t)
			p.concludes(before)
			p.shown("--nats", p.servers.NATSURL())
		})
	}
}

// concludes waits for two rounds that began after these, and wants them whole.
func (p *processes) concludes(before []string) {
	p.t.Helper()
	var names []string
	must.Until(p.ctx, p.t, "two more rounds are concluded", func() bool {
		all, err := p.bus.Rounds.Concluded(p.ctx)
		names = slices.DeleteFunc(all, func(name string) bool { return len(before) > 0 && name <= before[len(before)-1] })
		return err == nil && len(names) >= 2
	})
	first := must.Get(outcome.Latest(p.ctx, p.bus, names[0]))(p.t)
	second := must.Get(outcome.Latest(p.ctx, p.bus, names[1]))(p.t)
	if first.Done != first.Planned || second.Done != second.Planned || second.Planned == 0 {
		p.t.Errorf("%d of %d jobs are done, then %d of %d; want all", first.Done, first.Planned, second.Done, second.Planned)
	}
	for _, name := range names[:2] {
		held := must.Get(p.bus.Inventory(p.ctx, name))(p.t)
		if a := audit.Of(held); !a.Holds() || a.Outstanding > 0 {
			p.t.Errorf("round %s: %s, %v", name, a, a.Discrepancies)
		}
	}
}

// install writes the files that a schedule reads, and is GitHub.
func (p *processes) install() []string {
	p.t.Helper()
	dir := p.t.TempDir()
	type stored struct {
		UID    int    `json:"uid"`
		Hotkey string `json:"hotkey"`
		Token  string `json:"pat"`
		At     string `json:"stored_at"`
	}
	var list []stored
	hotkeys, accounts := map[string]string{}, map[string]string{}
	for _, m := range p.miners {
		token := fmt.Sprintf("ghp_%036d", m.UID)
		list = append(list, stored{m.UID, m.Hotkey, token, "2026-05-01T10:00:00+00:00"})
		hotkeys[fmt.Sprint(m.UID)], accounts["token "+token] = m.Hotkey, m.GitHubID
	}
	write := func(name string, v any) string {
		path := filepath.Join(dir, name)
		must.Do(p.t, os.WriteFile(path, must.Get(json.Marshal(v))(p.t), 0o600))
		return path
	}
	github := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"login": "m", "id": %s}`, accounts[r.Header.Get("Authorization")])
	}))
	p.t.Cleanup(github.Close)
	return []string{
		"--tokens", write("miner_pats.json", list), "--registry", p.mirror.Registry, "--github", github.URL,
		"--metagraph", write("metagraph.json", map[string]any{"exported_at": time.Now().UTC(), "hotkeys": hotkeys}),
	}
}

// TestAnOperatorsHandUnderLocal: a local round is killed, and what its disk holds of
// a stream is gone or rubbish when it is resumed.
func TestAnOperatorsHandUnderLocal(t *testing.T) {
	t.Parallel()
	spoilt := func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "msgs", "1.blk"), []byte(rubbish), 0o600)
	}
	for _, stream := range streams {
		if !all() && stream != "KV_EVALUATIONS" {
			continue
		}
		t.Run(stream+" is gone", func(t *testing.T) { t.Parallel(); resumedLocally(t, stream, os.RemoveAll) })
		if all() {
			t.Run(stream+" is rubbish", func(t *testing.T) { t.Parallel(); resumedLocally(t, stream, spoilt) })
		}
	}
}

// resumedLocally kills a local round, does something to a stream's directory, and
// wants the next producer to end a round with all jobs done.
func resumedLocally(t *testing.T, stream string, do func(dir string) error) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Minute, errors.New("the scenario did not end"))
	t.Cleanup(cancel)
	p := &processes{t: t, ctx: ctx, mirror: fleettest.Simulate(t, "--limit", "0", "--latency", "uniform:1ms,20ms")}
	state := t.TempDir()
	where := []string{
		"--local", "--state", state, "--mirror", p.mirror.URL, "--workers", "1", "--lease", "3s", "--limit-requests", "300", "--limit-horizon", "1s",
	}
	p.killLocal(where)
	dirs := must.Get(filepath.Glob(filepath.Join(state, "*", "jetstream", "*", "streams", stream)))(t)
	if len(dirs) != 1 {
		t.Fatalf("the state directory has %q of %s", dirs, stream)
	}
	must.Do(t, do(dirs[0]))
	result := p.resume(where...)
	if result.Planned != result.Done {
		t.Errorf("%d of %d jobs are done", result.Done, result.Planned)
	}
	t.Logf("round %s: complete %t, mended %v", result.Round, result.Complete, result.Mended)
	p.shown("--local", "--state", state)
}

// killLocal runs a local round and kills it, with its workers, when jobs are done.
func (p *processes) killLocal(where []string) {
	p.t.Helper()
	cmd := fleettest.Command(p.ctx, p.t, "producer", slices.Concat([]string{"run"}, where,
		[]string{"--miners", p.mirror.Miners, "--registry", p.mirror.Registry, "--as-of", p.mirror.AsOf})...)
	seen := &saying{want: regexp.MustCompile(`miners [1-9]`), said: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = seen, seen
	must.Do(p.t, cmd.Start())
	select {
	case <-seen.said:
	case <-p.ctx.Done():
		p.t.Errorf("no job of the local round is done: %s", seen.all.String())
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// saying waits for a word.
type saying struct {
	want *regexp.Regexp
	said chan struct{}

	mu   sync.Mutex
	all  bytes.Buffer
	once sync.Once
}

func (s *saying) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.Write(data)
	if s.want.Match(s.all.Bytes()) {
		s.once.Do(func() { close(s.said) })
	}
	return len(data), nil
}
