// Package fleettest builds the product's commands as they ship, for tests that run them
// as processes. Tests run, stop and kill them ([Main], [Command]); [Simulate] serves a
// simulated mirror by one of them.
package fleettest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/must"
)

// Build says what a package's tests want. The commands are built when a test first wants
// one, because most runs of a few tests want none.
type Build struct {
	// Race is for the race detector in the commands, except for benchmarks. make race has it in
	// all of them.
	Race bool
}

// everyRace names the variable that has the race detector in the commands of every package.
const everyRace = "MIRRORFLEET_TEST_RACE"

//nolint:gochecknoglobals // a package's tests have one set of commands
var (
	folder string
	built  = func() error { return nil }
)

// Main runs a package's tests with its commands, removes those and the server
// that a cluster was started with, and fails if a goroutine is left.
func Main(m *testing.M, b Build) {
	code, err := b.run(m)
	if err == nil && code == 0 {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func (b Build) run(m *testing.M) (code int, err error) {
	if folder, err = os.MkdirTemp("", "mirrorfleet-test-"); err != nil {
		return 1, fmt.Errorf("a folder for the commands: %w", err)
	}
	defer os.RemoveAll(folder)
	defer func() { err = errors.Join(err, cluster.Clean()) }()
	built = sync.OnceValue(b.make)
	if os.Getenv("GORACE") == "" {
		// The race detector sleeps for a second at the end of each command, for goroutines
		// that go on after main. The commands wait for theirs, and run by the hundred.
		if err := os.Setenv("GORACE", "atexit_sleep_ms=100"); err != nil {
			return 1, fmt.Errorf("the race detector's options: %w", err)
		}
	}
	return m.Run(), nil
}

// shared names a folder in which the packages of one run of tests build their commands: the
// first links them, and for the others go build finds them up to date. It saves the linker,
// which takes several seconds for each of them. Each package has hard links of its own, since
// tests tell processes apart by where their command is.
const shared = "MIRRORFLEET_TEST_COMMANDS"

// place is where to build: the part of the shared folder for this way of building, which stays
// locked until unlock, or the package's own folder if none is shared.
func place(race bool) (dir string, unlock func(), err error) {
	common := os.Getenv(shared)
	if common == "" {
		return folder, func() {}, nil
	}
	dir = filepath.Join(common, "race="+strconv.FormatBool(race))
	if err := os.MkdirAll(dir, 0o700); err != nil { //nolint:gosec // make test names it
		return "", nil, fmt.Errorf("%s: %w", shared, err)
	}
	lock, err := os.Open(dir) //nolint:gosec // make test names it
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", shared, err)
	}
	return dir, func() { _ = lock.Close() }, nil
}

func (b Build) make() error {
	if _, err := os.Stat(filepath.Join(Grammars(), "manifest.json")); err != nil {
		return fmt.Errorf("no grammars: %w (make grammars builds them)", err)
	}
	// A benchmark measures what ships: with the race detector a preview takes ten times as long.
	race := (b.Race || os.Getenv(everyRace) != "") && flag.Lookup("test.bench").Value.String() == ""
	dir, unlock, err := place(race)
	if err != nil {
		return err
	}
	defer unlock()
	into, racing := dir+"/", "-race="+strconv.FormatBool(race)
	build := exec.CommandContext(context.Background(), "go", "build", "-o", into, racing,
		"mirrorfleet/producer", "mirrorfleet/worker", "mirrorfleet/worker/mirrorgate", "mirrorfleet/shared/mirrorsim/cmd/mirrorsim")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the commands: %w\n%s", err, out)
	}
	if dir == folder {
		return nil
	}
	for _, name := range []string{"producer", "worker", "mirrorgate", "mirrorsim"} {
		if err := os.Link(filepath.Join(dir, name), filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("the package's own commands: %w", err)
		}
	}
	return nil
}

// Grammars is where make grammars built the parser: MIRRORFLEET_GRAMMARS, or
// bin/grammars of the module.
func Grammars() string {
	dir := os.Getenv("MIRRORFLEET_GRAMMARS")
	if dir != "" {
		dir, _ = filepath.Abs(dir) // it may be linked to from elsewhere
		return dir
	}
	dir, _ = os.Getwd() // where the test's package is
	for dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	return filepath.Join(dir, "bin", "grammars")
}

// LinkedGrammars is a folder of the test's own with links to them, in which single ones can be
// taken away or replaced.
func LinkedGrammars(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for _, file := range must.Get(os.ReadDir(Grammars()))(tb) {
		must.Do(tb, os.Symlink(filepath.Join(Grammars(), file.Name()), filepath.Join(dir, file.Name())))
	}
	return dir
}

// Path is where a command is; it ends the test if it cannot be built.
func Path(tb testing.TB, name string) string {
	tb.Helper()
	must.Do(tb, built())
	return filepath.Join(folder, name)
}

// Arguments takes the URLs of local servers out of a command's arguments, as they hold a
// password, and returns them as variables: everybody sees the arguments of a process.
func Arguments(args []string) (rest, env []string) {
	for i := 0; i < len(args); i++ {
		flag := strings.TrimPrefix(args[i], "--")
		if (flag == "nats" || flag == "redis") && i+1 < len(args) && strings.HasPrefix(args[i+1], flag+"://local:") {
			i++
			env = append(env, "MIRRORFLEET_"+strings.ToUpper(flag)+"="+args[i])
		} else {
			rest = append(rest, args[i])
		}
	}
	return rest, env
}

// Command is a command that finds the parser where the tests do.
func Command(ctx context.Context, tb testing.TB, name string, args ...string) *exec.Cmd {
	tb.Helper()
	args, env := Arguments(args)
	cmd := exec.CommandContext(ctx, Path(tb, name), args...)
	cmd.Env = append(append(os.Environ(), "MIRRORFLEET_GRAMMARS="+Grammars()), env...)
	cmd.WaitDelay = 30 * time.Second // for the children of one that was killed
	return cmd
}
