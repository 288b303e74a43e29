package backup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// stage is a place to run documented commands in: the shipped configurations, the
// built commands, and servers that take each other for machines.
type stage struct {
	*fleet

	root    string
	env     []string
	client  map[string]int    // the port of each server
	running map[string]func() // how each server that runs is stopped
}

// substitute is what the documents' nats-server is here: on machines of their own
// all servers have the same ports.
const substitute = `#!/bin/bash
set -e
conf="$(dirname "$2")/$NATS_NAME"; mkdir -p "$conf"; cp "$(dirname "$2")"/*.conf "$conf"
ports="PORTS_${NATS_NAME//-/_}"; read -r client route http <<< "${!ports}"
sed -i "s/0.0.0.0:4222/127.0.0.1:$client/; s/0.0.0.0:6222/127.0.0.1:$route/; s/127.0.0.1:8222/127.0.0.1:$http/" "$conf"/*.conf
exec real-nats-server "$1" "$conf/$(basename "$2")"
`

func setStage(t *testing.T) *stage {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the test lost its patience"))
	t.Cleanup(cancel)
	s := &stage{fleet: &fleet{t: t, ctx: ctx}, root: t.TempDir(), client: map[string]int{}, running: map[string]func(){}}
	must.Do(t, os.CopyFS(filepath.Join(s.root, "deploy", "nats"), os.DirFS(filepath.Dir(settings))))
	bin := filepath.Join(s.root, "bin")
	must.Do(t, os.Mkdir(bin, 0o700))
	out, err := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(bin, "producer"), "mirrorfleet/producer").CombinedOutput()
	if err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	must.Do(t, os.Symlink(must.Get(cluster.Binary(ctx))(t), filepath.Join(bin, "real-nats-server")))
	must.Do(t, os.WriteFile(filepath.Join(bin, "nats-server"), []byte(substitute), 0o700))
	s.env = append(os.Environ(), cluster.Environment("")...)
	s.env = append(s.env, "PATH="+bin+":"+os.Getenv("PATH"), "NATS_ROUTE_PASSWORD=test-only", "NEW="+filepath.Join(s.root, "new"))
	for i, name := range []string{"nats-0", "nats-1", "nats-2", "nats-3", "nats-one"} {
		client := nettest.FreePort(t)
		route := nettest.FreePort(t)
		http := nettest.FreePort(t)
		s.client[name] = client
		s.env = append(s.env, fmt.Sprintf("PORTS_%s=%d %d %d", strings.ReplaceAll(name, "-", "_"), client, route, http),
			fmt.Sprintf("NATS_ROUTE_%d=nats://route:test-only@127.0.0.1:%d", i, route))
	}
	t.Cleanup(func() {
		s.stopAll()
		if !t.Failed() {
			return
		}
		for name := range s.client {
			log, _ := os.ReadFile(filepath.Join(s.root, name+".log"))
			t.Logf("the last of %s:\n%s", name, log[max(0, len(log)-3000):])
		}
	})
	return s
}

// at makes the stage's fleet that of these servers, and names their address to
// the commands.
func (s *stage) at(variable string, names ...string) {
	s.url = func(user string) string {
		var urls []string
		for _, name := range names {
			urls = append(urls, fmt.Sprintf("nats://%s:test-only@127.0.0.1:%d", user, s.client[name]))
		}
		return strings.Join(urls, ",")
	}
	s.env = append(s.env, variable+"="+s.url(cluster.Producer))
}

// documented are the commands of a section of docs/backup.md, block by block.
func documented(t *testing.T, heading string) (blocks [][]string) {
	t.Helper()
	text := string(must.Get(os.ReadFile(filepath.Join("..", "..", "docs", "backup.md")))(t))
	_, text, found := strings.Cut(text, "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/backup.md has no section %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	inside := false
	for line := range strings.Lines(text) {
		command, is := strings.CutPrefix(line, "    ")
		if is && !inside {
			blocks = append(blocks, nil)
		}
		if inside = is; is {
			blocks[len(blocks)-1] = append(blocks[len(blocks)-1], strings.TrimSpace(command))
		}
	}
	return blocks
}

// do runs commands as they are written; a server runs until it is stopped.
func (s *stage) do(commands []string) {
	s.t.Helper()
	for _, line := range commands {
		s.t.Logf("$ %s", line)
		cmd := exec.CommandContext(context.WithoutCancel(s.ctx), "bash", "-c", line)
		if name, is := strings.CutPrefix(line, "NATS_NAME="); is {
			name, _, _ = strings.Cut(name, " ")
			s.serve(name, cmd)
			continue
		}
		cmd.Dir, cmd.Env = s.root, s.env
		out, err := cmd.CombinedOutput()
		if err != nil {
			s.t.Fatalf("%s: %v\n%s", line, err, out)
		}
		s.t.Logf("%s", out)
	}
}

func (s *stage) serve(name string, cmd *exec.Cmd) {
	s.t.Helper()
	log := must.Get(os.OpenFile(filepath.Join(s.root, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600))(s.t)
	cmd.Dir = s.root
	cmd.Env = s.env
	cmd.Stdout = log
	cmd.Stderr = log
	must.Do(s.t, cmd.Start())
	s.running[name] = func() {
		_ = cmd.Process.Kill() // bash has become the server
		_ = cmd.Wait()
		log.Close()
		delete(s.running, name)
	}
}

func (s *stage) stopAll() {
	for _, stop := range s.running {
		stop()
	}
}

// copies waits until every stream has so many complete copies.
func (s *stage) copies(n int) {
	s.t.Helper()
	must.Until(s.ctx, s.t, "every stream has its copies", func() bool {
		ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second) // a question may be lost with a leader
		defer cancel()
		nc, err := jobstream.Connect(ctx, s.url(cluster.Producer), "test", jobstream.ConnectConfig{Log: jobstreamtest.Quiet()})
		if err != nil {
			return false
		}
		defer nc.Close()
		seen, err := jobstream.Inspect(ctx, nc, jobstream.Config{Log: jobstreamtest.Quiet()})
		for _, stream := range seen.Streams {
			if stream.Missing || stream.Current != n {
				return false
			}
		}
		return err == nil
	})
}

// losses has the documented losses tried, too: a server that comes with an empty
// directory takes half a minute to be one of three again (make move).
var losses = os.Getenv("MIRRORFLEET_TEST_LOSSES") != ""

// The commands of the document, word for word: one server to three and back, with
// a round in each state each time, and the loss of one server and of all.
func TestTheDocumentedMove(t *testing.T) {
	t.Parallel()
	s := setStage(t)
	move, loss := documented(t, "From one server to three"), documented(t, "After a loss")
	if len(move) != 2 || len(loss) != 2 {
		t.Fatalf("%d and %d blocks of commands, want 2 and 2", len(move), len(loss))
	}
	s.at("ONE", "nats-0")
	s.do([]string{`NATS_NAME=nats-0 NATS_STORE="$NEW/nats-0" nats-server -c deploy/nats/single.conf`})
	s.open()
	const miners, before = 12, 3
	tokens := make(chan struct{}, miners)
	s.work(gated("r-running", tokens))
	s.inEachState()
	running := s.start(manifest("r-running", miners))
	allow(tokens, before)
	must.Until(s.ctx, t, "some jobs are done", func() bool { return s.done("r-running") >= before })
	one := *s.fleet

	s.at("THREE", "nats-1", "nats-2", "nats-3")
	s.do(move[0])
	close(tokens) // an attempt that is made again needs one, too
	want := map[string]outcome.Result{"r-running": must.Receive(s.ctx, t, running, "the undisturbed outcome")}
	for _, name := range []string{"r-concluded", "r-planned", "r-dead"} {
		want[name] = one.resumed(name)
	}
	s.open()
	second := make(chan struct{}, miners)
	s.work(gated("r-second", second))
	same(t, "r-running on three servers", s.resumed("r-running"), want["r-running"])

	if losses {
		s.running["nats-2"]()
		must.Do(t, os.RemoveAll(filepath.Join(s.root, "new", "nats-2")))
		s.do(loss[0])
		s.copies(3)
	}

	ending := s.start(manifest("r-second", miners))
	allow(second, before)
	must.Until(s.ctx, t, "some jobs are done", func() bool { return s.done("r-second") >= before })
	s.at("ONE", "nats-one")
	s.do(move[1])
	close(second)
	want["r-second"] = must.Receive(s.ctx, t, ending, "the second undisturbed outcome")
	s.open()
	s.work(evaluated)
	for name, undisturbed := range want {
		same(t, name+" on one server again", s.resumed(name), undisturbed)
	}

	if !losses {
		return
	}
	for _, name := range []string{"nats-1", "nats-2", "nats-3"} {
		s.running[name]()
		must.Do(t, os.RemoveAll(filepath.Join(s.root, "new", name)))
	}
	s.at("THREE", "nats-1", "nats-2", "nats-3")
	s.do(move[0][1:4])
	s.do(loss[1])
	s.open()
	s.work(evaluated)
	for _, name := range []string{"r-concluded", "r-planned", "r-dead", "r-running"} {
		same(t, name+" after the loss of all", s.resumed(name), want[name])
	}
}

// The trap that the document warns of: a single server that is started in a
// cluster removes its streams. Were it otherwise, the warning could go.
func TestTrapASingleServersDirectoryInACluster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	one := cluster.Start(ctx, t, cluster.Config{Dir: dir, Settings: settings, Nodes: 1})
	f := &fleet{t: t, ctx: ctx, servers: one, url: one.URL}
	f.open()
	if got := f.streams(); len(got) != len(jobstream.StreamNames()) {
		t.Fatalf("one server has %q", got)
	}
	one.Kill(0)
	f.servers = cluster.Start(ctx, t, cluster.Config{Dir: dir, Settings: settings, Nodes: 3}) // on the same directory
	f.url = f.servers.URL
	if got := f.streams(); len(got) != 0 {
		t.Errorf("three servers, of which one had streams, have %q: it removes them no longer", got)
	}
}
