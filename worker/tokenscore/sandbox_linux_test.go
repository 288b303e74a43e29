package tokenscore_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore"
	"mirrorfleet/worker/tokenscore/grammars/manifest"
	"mirrorfleet/worker/tokenscore/sandbox"
)

// intruder is a pool of the worker command's own children, with a grammar that
// takes them over: testdata/intruder.
type intruder struct {
	*bundle

	dir string
	log *lines
}

// lines are what children write on standard error, and how they end.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// next is what was written since the last call.
func (l *lines) next() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text.String()
	l.text.Reset()
	return text
}

// intrude sets one up. Only a kernel that has the whole sandbox can be tested.
func (w workerCommand) intrude(t *testing.T, mode sandbox.Mode, configure ...func(*tokenscore.Config)) *intruder {
	t.Helper()
	in := &intruder{dir: takenOver(t), log: &lines{}}
	in.bundle = setup(t, append([]func(*tokenscore.Config){func(c *tokenscore.Config) {
		c.Grammars, c.Sandbox = in.dir, mode
		c.Command = []string{string(w), "score", "--grammars", in.dir, "--sandbox", string(mode)}
		c.Log = slog.New(slog.NewTextHandler(in.log, nil))
	}}, configure...)...)
	if err := in.pool.Sandbox().Satisfies(sandbox.Required); err != nil && mode != sandbox.Off {
		t.Skipf("this kernel: %v", err)
	}
	return in
}

// workerCommand is where the worker command is.
type workerCommand string

func buildWorker(t *testing.T) workerCommand {
	t.Helper()
	path := filepath.Join(t.TempDir(), "worker")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "mirrorfleet/worker").CombinedOutput()
	if err != nil {
		t.Fatalf("building the worker: %v\n%s", err, out)
	}
	return workerCommand(path)
}

// takenOver is a folder of grammars in which lua's is the intruder.
func takenOver(t *testing.T) string {
	t.Helper()
	dir := fleettest.LinkedGrammars(t)
	evil, list := filepath.Join(dir, "lua.so"), filepath.Join(dir, manifest.Name)
	must.Do(t, os.Remove(evil))
	must.Do(t, os.Remove(list))
	honest := must.Get(os.ReadFile(filepath.Join(fleettest.Grammars(), "lua.so")))(t)
	must.Do(t, os.WriteFile(filepath.Join(dir, "honest.so"), honest, 0o600)) // no link: nothing tells the child of it
	compile := exec.CommandContext(t.Context(), "cc", "-O1", "-fPIC", "-shared", "-o", evil, filepath.Join("testdata", "intruder", "intruder.c"))
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compiling the intruder: %v\n%s", err, out)
	}
	m := must.Get(manifest.Read(fleettest.Grammars()))(t)
	g, _ := m.Grammar("lua")
	g.SHA256 = must.Get(manifest.FileDigest(evil))(t)
	must.Do(t, os.WriteFile(list, must.Get(json.Marshal(m))(t), 0o600))
	return dir
}

// try has a child of a miner try something, and returns what came of it: for each
// try how it ended.
func (in *intruder) try(t *testing.T, author, act, argument string) map[string]string {
	t.Helper()
	in.log.next()
	in.scoreOf(t, author, request(act, argument))
	ends, said := map[string]string{}, ""
	must.Until(t.Context(), t, "all was tried", func() bool {
		said += in.log.next()
		return strings.Contains(said, "all: tried")
	})
	for line := range strings.Lines(said) {
		if _, line, found := strings.Cut(line, " line="); found {
			what, how, _ := strings.Cut(strings.Trim(strings.TrimSpace(line), `"`), ": ")
			ends[what] = how
		}
	}
	delete(ends, "all")
	return ends
}

// request is a file that asks the intruder for something.
func request(act, argument string) tokens.File {
	return added("a.lua", fmt.Sprintf("--@ %s %s\nlocal a = 1\n", act, argument))
}

// refused checks that every try failed for lack of a right, but for these exceptions.
func refused(t *testing.T, ends map[string]string, tries int, exceptions map[string]string) {
	t.Helper()
	if len(ends) != tries {
		t.Errorf("%d tries were made, want %d: %v", len(ends), tries, ends)
	}
	for what, how := range ends {
		want, is := exceptions[what]
		if !is {
			want = "EPERM"
		}
		if how != want {
			t.Errorf("%.200s: %s, want %s", what, how, want)
		}
	}
}

// Who takes a child over gains nothing by it but its own author's scores, which
// takeover_test.go has.
//
//nolint:paralleltest // they change what the process hands on to its children
func TestAChildThatIsTakenOver(t *testing.T) {
	worker := buildWorker(t)
	t.Run("gains nothing", worker.gainsNothing)
	t.Run("has little memory", worker.hasLittleMemory)
	t.Run("crashes and works alone", worker.crashesAndWorksAlone)
	t.Run("does not find the last miner's files", worker.doesNotFindTheLastMiners)
	t.Run("gains much without the sandbox", worker.gainsMuchWithoutTheSandbox)
}

// It finds no secret, reads and writes no file, reaches nobody, starts nothing and
// touches no other process. The next file is scored.
func (w workerCommand) gainsNothing(t *testing.T) {
	t.Setenv("MIRRORFLEET_NATS", "nats://worker:secret@nats:4222")
	// Open in the worker, and not closed in what it starts.
	leaked := must.Get(unix.Open("/etc/passwd", unix.O_RDONLY, 0))(t)
	defer unix.Close(leaked)
	in, self := w.intrude(t, sandbox.Auto), strconv.Itoa(os.Getpid())
	may := filepath.Join(in.dir, "go.so")
	for _, tt := range []struct {
		act, argument string
		tries         int
		exceptions    map[string]string
	}{
		{"environment", self, 7, map[string]string{
			"has GOMAXPROCS=1": "", "has GOTRACEBACK=single": "", "has GODEBUG=containermaxprocs=0": "",
			fmt.Sprintf("has GOMEMLIMIT=%d", tokenscore.DefaultMemoryLimit/4): "",
			"read /proc/" + self + "/environ":                                 "EACCES", "read /proc/self/environ": "EACCES", "read /proc/self/mem": "EACCES",
		}},
		{"files", may, 14, map[string]string{"read " + may: "done", "read /etc/passwd": "EACCES", "read .": "EACCES"}},
		{"network", "", 9, nil},
		{"processes", "", 5, map[string]string{"clone3": "ENOSYS"}},
		{"privileges", "", privileges, map[string]string{"x32": "ENOSYS"}},
		{"parent", self, 13, nil},
		{"threads", "", 3, map[string]string{"thread": "done", "thread's file": "EACCES"}},
		{"limits", "", 4, map[string]string{
			"limit core": "0 0", "limit fsize": "0 0", "limit nofile": "64 64", "limit cpu": "1211 1211",
		}},
	} {
		t.Run(tt.act, func(t *testing.T) {
			// The log takes some lines of each child: each act has another miner's.
			refused(t, in.try(t, tt.act, tt.act, tt.argument), tt.tries, tt.exceptions)
			in.wantScored(t)
		})
	}
	if got := in.pool.Stats(); got.Crashed != 0 || got.TimedOut != 0 {
		t.Errorf("stats %+v; want nothing lost", got)
	}
}

// Memory has an end, in whatever way it is asked for.
func (w workerCommand) hasLittleMemory(t *testing.T) {
	const limit = 128 << 20
	in := w.intrude(t, sandbox.Auto, func(c *tokenscore.Config) { c.MemoryLimit, c.Budget = limit, time.Minute })
	ends := in.try(t, "1", "memory", "")
	if megabytes, err := strconv.Atoi(ends["megabytes"]); err != nil || megabytes < 16 || megabytes<<20 > limit {
		t.Errorf("it held %q MB, want at most %d", ends["megabytes"], limit>>20)
	}
	delete(ends, "megabytes")
	refused(t, ends, 3, map[string]string{"addresses": "ENOMEM"})
	in.wantScored(t)
}

// A crash ends one child and leaves nothing of its memory on the disk, though the
// worker itself may leave a core dump. Endless work ends by its budget.
func (w workerCommand) crashesAndWorksAlone(t *testing.T) {
	var before unix.Rlimit
	must.Do(t, unix.Getrlimit(unix.RLIMIT_CORE, &before))
	must.Do(t, unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: before.Max, Max: before.Max}))
	t.Cleanup(func() { must.Do(t, unix.Setrlimit(unix.RLIMIT_CORE, &before)) })
	in := w.intrude(t, sandbox.Auto, func(c *tokenscore.Config) { c.Budget = 300 * time.Millisecond })
	for act, reason := range map[string]string{"crash": "(signal: aborted)", "work": "it took more than 300ms of processor time"} {
		scored := in.scoreWithin(t, nil, "1", request(act, ""))
		wantTimedOut(t, scored.Figures, 1)
		if scored.Lacks == nil || !strings.Contains(scored.Lacks.Error(), reason) {
			t.Errorf("%s: it lacks %v, want %q", act, scored.Lacks, reason)
		}
	}
	in.wantScored(t)
	if got := in.pool.Stats(); got != (tokenscore.Stats{Started: 5, Crashed: 2, TimedOut: 2}) {
		t.Errorf("stats %+v; want a child for each of two tries, and one more", got)
	}
}

// Of one miner's files the next miner's child has nothing in its memory. That they
// could be found is shown by the first miner's own child.
func (w workerCommand) doesNotFindTheLastMiners(t *testing.T) {
	in := w.intrude(t, sandbox.Auto, func(c *tokenscore.Config) { c.Budget = time.Hour })
	secret := []byte("qhw7Zk3vXb9TnR2m")
	in.scoreOf(t, "1", added("b.lua", "local a = '"+strings.Repeat(string(secret), 1000)+"'\n"))
	slices.Reverse(secret)
	for _, tt := range []struct{ author, want string }{{"1", "in memory"}, {"2", "nowhere"}} {
		ends := in.try(t, tt.author, "look", string(secret))
		if got := ends["found it"]; got != tt.want {
			t.Errorf("the child of miner %s: found it %q, want %q", tt.author, got, tt.want)
		}
	}
}

// What refuses it all is the sandbox: without it the same tries succeed.
func (w workerCommand) gainsMuchWithoutTheSandbox(t *testing.T) {
	in := w.intrude(t, sandbox.Off)
	if said := in.log.next(); !strings.Contains(said, "without a sandbox") {
		t.Errorf("it said %q, want that there is none", said)
	}
	ends := in.try(t, "1", "threads", "")
	refused(t, ends, 3, map[string]string{"thread": "done", "thread's file": "done", "thread's socket": "done"})
	if got := in.pool.Sandbox(); got != (sandbox.State{}) {
		t.Errorf("state %+v, want none", got)
	}
}

// privileges is how many ways to gain some the intruder tries.
const privileges = 19
