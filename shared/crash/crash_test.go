package crash_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/must"
)

// TestMain is also the process that is killed: it passes points and says so.
func TestMain(m *testing.M) {
	if passes := os.Getenv("CRASH_TEST_PASSES"); passes != "" {
		for range len(passes) {
			crash.At(crash.Claimed)
			fmt.Fprintln(os.Stdout, "passed")
		}
		return
	}
	os.Exit(m.Run())
}

// pass runs a process that passes Claimed three times.
func pass(t *testing.T, setting string) (passed int, stderr string, state *os.ProcessState) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "CRASH_TEST_PASSES=xxx", crash.Env+"="+setting)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return strings.Count(out.String(), "passed"), errs.String(), cmd.ProcessState
}

func TestAPassIsTheLastOne(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]int{
		"claimed": 0, crash.Setting(crash.Claimed, 1): 0, crash.Setting(crash.Claimed, 3): 2,
	} {
		passed, stderr, state := pass(t, setting)
		status, ok := state.Sys().(syscall.WaitStatus)
		if passed != want || !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL || !strings.Contains(stderr, crash.Env) {
			t.Errorf("%s: %d passes, %v, %q; want %d, then SIGKILL and a word about it", setting, passed, state, stderr, want)
		}
	}
}

func TestAPointThatIsNotArmedIsPassed(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"", crash.Setting(crash.Claimed, 4), crash.Setting(crash.Settled, 1)} {
		if passed, stderr, state := pass(t, setting); passed != 3 || !state.Success() || stderr != "" {
			t.Errorf("%q: %d passes, %v, %q; want three and nothing else", setting, passed, state, stderr)
		}
	}
}

func TestASettingThatArmsNothingIsRefused(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{"clamed": "clamed", "claimed:0": "from 1", "claimed:x": "from 1", ":": "from 1"} {
		if passed, stderr, state := pass(t, setting); passed != 0 || state.ExitCode() != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%q: %d passes, %v, %q; want exit code 2 and %q", setting, passed, state, stderr, want)
		}
	}
}

func TestAStoppedProcessGoesOnWhenItIsContinued(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "CRASH_TEST_PASSES=xxx", crash.Env+"="+crash.Stopping(crash.Claimed, 2))
	var out bytes.Buffer
	cmd.Stdout = &out
	must.Do(t, cmd.Start())
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("%v, %v, want it stopped", status, err)
	}
	must.Do(t, cmd.Process.Signal(syscall.SIGCONT))
	if err := cmd.Wait(); err != nil || strings.Count(out.String(), "passed") != 3 {
		t.Errorf("%v, %q, want three passes in all", err, out.String())
	}
}
