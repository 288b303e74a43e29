package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/must"
)

// strangersTask is set in the process that attacks a local round as another user.
const strangersTask = "MIRRORFLEET_TEST_STRANGER"

// task is what every user of the machine can know of a local round: its state directory,
// its processes, and their addresses.
type task struct {
	State  string `json:"state"`
	PIDs   []int  `json:"pids"`
	NATS   string `json:"nats"` // host:port, as the next two
	Redis  string `json:"redis"`
	Mirror string `json:"mirror"` // the simulated one
}

// loot is what the stranger got.
type loot struct {
	Got  []string `json:"got"`  // what was read, or answered
	Text string   `json:"text"` // what it said
}

func (l *loot) take(what, said string, err error) {
	if err == nil {
		l.Got = append(l.Got, what)
		l.Text += said
	}
}

func (l *loot) read(what, path string) {
	data, err := os.ReadFile(path)
	l.take(what, string(data), err)
}

// plunderIfStranger is what the stranger's process does in place of tests.
func plunderIfStranger() {
	order := os.Getenv(strangersTask)
	if order == "" {
		return
	}
	var t task
	if err := json.Unmarshal([]byte(order), &t); err != nil {
		panic(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(plunder(context.Background(), t)); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// plunder tries everything that needs no password, and a wrong password.
func plunder(ctx context.Context, t task) (l loot) {
	l.files(t)
	l.processes(t)
	l.servers(ctx, t)
	return l
}

func (l *loot) files(t task) {
	_ = filepath.WalkDir(t.State, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			l.read("found "+filepath.Base(path), path)
		}
		return nil // the next may be open
	})
	for _, name := range []string{"servers.json", "worker-1.log", "mirrorsim.log", "lock", "world/miners.json"} {
		l.read(name, filepath.Join(t.State, name))
	}
}

func (l *loot) processes(t task) {
	for _, pid := range t.PIDs {
		for _, file := range []string{"cmdline", "environ", "maps"} {
			l.read(file, fmt.Sprintf("/proc/%d/%s", pid, file))
		}
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		l.take("fd", fmt.Sprint(open), err)
	}
}

func (l *loot) servers(ctx context.Context, t task) {
	if conn, err := net.Dial("tcp", t.Mirror); err == nil {
		fmt.Fprint(conn, "GET /sim/stats HTTP/1.0\r\n\r\n")
		answer, err := bufio.NewReader(conn).ReadString('\n')
		l.take("the mirror", answer, err)
		_ = conn.Close()
	}
	for _, who := range []*url.Userinfo{nil, url.UserPassword("local", "guess")} {
		nc, err := nats.Connect((&url.URL{Scheme: "nats", User: who, Host: t.NATS}).String())
		l.take("NATS", "", err)
		nc.Close()
		options := &redis.Options{Addr: t.Redis}
		if who != nil {
			options.Username, options.Password = "local", "guess"
		}
		rdb := redis.NewClient(options)
		l.take("Redis", "", rdb.Keys(ctx, "*").Err())
		_ = rdb.Close()
	}
}

// Two users share a machine. The second one gets nothing of a local round but the
// arguments of its processes, and these contain no secret. Otherwise this user could set
// every reward and delete every round.
func TestAnotherUserGetsNothing(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can start a process as another user")
	}
	dir := must.Get(os.MkdirTemp("", "mirrorfleet-users-"))(t) //nolint:usetesting // t.TempDir is closed to another user
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, open := range []string{dir, filepath.Dir(fleettest.Path(t, "producer"))} {
		must.Do(t, os.Chmod(open, 0o755))
	}
	program := filepath.Join(dir, "stranger")
	must.Do(t, os.WriteFile(program, must.Get(os.ReadFile(must.Get(os.Executable())(t)))(t), 0o755))
	state := filepath.Join(dir, "state")
	s := start(t, slices.Concat([]string{"run", "--local", "--state", state}, slowly())...)
	servers := must.Get(local.Find(state))(t)
	ofNATS, ofRedis := must.Get(url.Parse(servers.NATS))(t), must.Get(url.Parse(servers.Redis))(t)
	secret, _ := ofNATS.User.Password()
	order := task{state, append(s.below, s.Process.Pid), ofNATS.Host, ofRedis.Host, simulatedAt(t, state)}

	got := plunderAs(t, program, stranger, order)
	if others := slices.DeleteFunc(slices.Clone(got.Got), func(what string) bool { return what == "cmdline" }); len(others) > 0 || len(got.Got) < 5 {
		t.Errorf("another user got %v, want the arguments of five processes and nothing else", got.Got)
	}
	if strings.Contains(got.Text, secret) || !strings.Contains(got.Text, "--mirror") {
		t.Errorf("the arguments hold the password, or are no workers': %q", got.Text)
	}
	owner := plunderAs(t, program, 0, order)
	for _, want := range []string{"found servers.json", "worker-1.log", "mirrorsim.log", "lock", "world/miners.json", "environ", "maps", "fd", "the mirror"} {
		if !slices.Contains(owner.Got, want) {
			t.Errorf("the owner got %v, and not %s: this test looks in the wrong place", owner.Got, want)
		}
	}
	if slices.Contains(owner.Got, "NATS") || slices.Contains(owner.Got, "Redis") || strings.Count(owner.Text, secret) < 3 {
		t.Error("the servers took somebody without the password, or it is not in the file and the workers' environment")
	}
	refusedAs(t, stranger, state)
	saysNoPassword(t, s, state, secret)
	must.Do(t, s.Process.Signal(os.Interrupt))
	<-s.ended
	exited(t, s.below)
}

// slowly is a limit under which the demo round takes minutes.
func slowly() []string {
	return []string{"--limit-requests", "10", "--limit-window", "20s", "--limit-horizon", "5s"}
}

// simulatedAt is the address of a local round's simulated mirror.
func simulatedAt(t *testing.T, state string) string {
	t.Helper()
	_, after, _ := strings.Cut(string(must.Get(os.ReadFile(filepath.Join(state, "mirrorsim.log")))(t)), "url=http://")
	address, _, _ := strings.Cut(after, "\n")
	return address
}

// plunderAs runs the attack on a round as another user.
func plunderAs(t *testing.T, program string, user uint32, order task) (l loot) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = []string{strangersTask + "=" + string(must.Get(json.Marshal(order))(t))}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	must.Do(t, json.Unmarshal(must.Get(cmd.Output())(t), &l))
	return l
}

// refusedAs wants the commands that read a round to say why they cannot.
func refusedAs(t *testing.T, user uint32, state string) {
	t.Helper()
	for _, name := range []string{"rounds", "limit"} {
		cmd := command(t, "producer", name, "--local", "--state", state)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
		said, _ := cmd.CombinedOutput() // its exit code says more
		if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(string(said), state) || !strings.Contains(string(said), "permission denied") {
			t.Errorf("%s: exit %d, want 2, the directory and what is wrong\n%s", name, code, said)
		}
	}
}

// saysNoPassword searches the output of the round, and of the commands that read it, for
// passwords.
func saysNoPassword(t *testing.T, s *started, state, secret string) {
	t.Helper()
	said := map[string]string{"the producer": s.stderr.String()}
	for _, path := range must.Get(filepath.Glob(filepath.Join(state, "*.log")))(t) {
		said[path] = string(must.Get(os.ReadFile(path))(t))
	}
	for name, flags := range map[string][]string{"rounds": nil, "limit": nil, "failed": nil, "doctor": slowly()} {
		e := run(t, "producer", slices.Concat([]string{name, "--local", "--state", state}, flags)...)
		if e.code != 0 {
			t.Errorf("%s --local: exit %d\n%s%s", name, e.code, e.stdout, e.stderr)
		}
		said[name] = e.stdout + e.stderr
	}
	for who, text := range said {
		if strings.Contains(text, secret) {
			t.Errorf("%s says the password:\n%s", who, text)
		}
	}
	if len(said) < 8 {
		t.Errorf("%d were listened to, want the producer, three logs and four commands", len(said))
	}
}
