package tokenscore_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"mirrorfleet/shared/must"
	"mirrorfleet/worker/tokenscore"
)

// pinEnv has a child of the tests work on one processor, the same as all others.
const pinEnv = "MIRRORFLEET_TEST_PIN"

// pin keeps this goroutine on the first processor that the process may have.
func pin() error {
	if os.Getenv(pinEnv) == "" {
		return nil
	}
	runtime.LockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("asking for processors: %w", err)
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("staying on one processor: %w", err)
	}
	return nil
}

// busy works until its standard input ends.
func busy() {
	if err := pin(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var done atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		done.Store(true)
	}()
	fmt.Fprintln(os.Stdout, "busy")
	spin(&done)
}

// spin works until done, nil for good.
func spin(done *atomic.Bool) {
	for done == nil || !done.Load() {
	}
}

// startBusy starts processes that work until the test ends.
func startBusy(t *testing.T, processes int) {
	t.Helper()
	command := childCommand(t, "busy", pinEnv+"=1")
	for range processes {
		cmd := exec.Command(command[0], command[1:]...)
		in, inErr := cmd.StdinPipe()
		out, outErr := cmd.StdoutPipe()
		if inErr != nil || outErr != nil {
			t.Fatal(inErr, outErr)
		}
		must.Do(t, cmd.Start())
		t.Cleanup(func() {
			_ = in.Close()
			if err := cmd.Wait(); err != nil {
				t.Errorf("a busy process: %v", err)
			}
		})
		if _, err := fmt.Fscanln(out, new(string)); err != nil {
			t.Fatalf("a busy process did not begin: %v", err)
		}
	}
}

// conditionals is legal JavaScript of 900 kB that takes the parser long: nested
// conditional expressions.
var conditionals = "x=" + strings.Repeat("f(a)?b:", 128_570) + "c\n"

// A file that takes the parser a good part of what it may scores the same alone
// and beside sixteen busy processes on the same processor: only what its own
// child works counts.
func TestABusyMachineChangesNoFigures(t *testing.T) {
	t.Parallel()
	alone := setup(t, func(c *tokenscore.Config) { c.Budget = time.Hour })
	alone.wantScored(t)
	before := alone.pool.Worked()
	want := alone.score(t, added("a.js", conditionals))
	worked := alone.pool.Worked() - before
	if want.Files[0].Nodes == 0 {
		t.Fatalf("alone: %+v, want nodes", want)
	}
	startBusy(t, 16)
	limit := 4 * worked // a seventeenth of a processor reaches that by the wall clock, and far from it by its own
	b := setup(t, func(c *tokenscore.Config) {
		c.Command, c.Budget = childCommand(t, "serve", pinEnv+"=1", fmt.Sprintf("%s=%v", parseEnv, limit)), limit
	})
	began := time.Now()
	scored := b.scoreWithin(t, nil, "1", added("a.js", conditionals))
	t.Logf("%v of processor time alone; %v by the clock beside the others", worked, time.Since(began))
	if diff := cmp.Diff(want, scored.Figures); diff != "" || scored.Lacks != nil {
		t.Errorf("beside busy processes it lacks %v (-alone +beside):\n%s", scored.Lacks, diff)
	}
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 1}) {
		t.Errorf("stats %+v; want one try", got)
	}
}
