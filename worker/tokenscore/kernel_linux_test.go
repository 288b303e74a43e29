package tokenscore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"mirrorfleet/shared/must"
	"mirrorfleet/worker/tokenscore"
	"mirrorfleet/worker/tokenscore/sandbox"
)

const (
	// withholdEnv names calls that a child of the tests does not have, as if its
	// kernel had none of them, or its container withheld them.
	withholdEnv = "MIRRORFLEET_TEST_WITHHOLD"
	// homeEnv is the user namespace that a child must be in.
	homeEnv = "MIRRORFLEET_TEST_HOME"
)

// withhold makes this process what the environment says.
func withhold() error {
	if home := os.Getenv(homeEnv); home != "" {
		if is, err := userNamespace(); err != nil || is != home {
			return fmt.Errorf("user namespace %s (%w), want %s", is, err, home)
		}
	}
	names := os.Getenv(withholdEnv)
	if names == "" {
		return nil
	}
	return seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls:      []seccomp.SyscallGroup{{Names: strings.Split(names, ","), Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)}},
	}})
}

func userNamespace() (string, error) { return os.Readlink("/proc/self/ns/user") }

// kernel is one that lacks something.
type kernel struct {
	env     string
	want    sandbox.State
	refused string // what Required names
}

// Where a kernel lacks a part of the sandbox, or a container withholds it, children
// work in the rest of it, and the worker says at its start what is lacking. Required
// refuses, with what to do; namespaces alone are never required.
func TestWhatTheKernelLacks(t *testing.T) {
	t.Parallel()
	whole := setup(t).pool.Sandbox()
	if err := whole.Satisfies(sandbox.Required); err != nil {
		t.Skipf("this kernel: %v", err)
	}
	home := must.Get(userNamespace())(t)
	for name, tt := range map[string]kernel{
		"nothing":      {withholdEnv + "=", whole, ""},
		"Landlock":     {withholdEnv + "=landlock_create_ruleset", sandbox.State{Seccomp: true, Namespace: whole.Namespace}, "Landlock"},
		"seccomp":      {withholdEnv + "=seccomp", sandbox.State{Landlock: whole.Landlock, Namespace: whole.Namespace}, "seccomp"},
		"both":         {withholdEnv + "=landlock_create_ruleset,seccomp", sandbox.State{Namespace: whole.Namespace}, "seccomp"},
		"no namespace": {homeEnv + "=" + home, sandbox.State{Landlock: whole.Landlock, Seccomp: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			lacking := func(c *tokenscore.Config) {
				c.Command, c.Log = childCommand(t, "serve", tt.env), slog.New(slog.NewTextHandler(&log, nil))
			}
			b := setup(t, lacking)
			said := log.String()
			if diff := cmp.Diff(tt.want, b.pool.Sandbox()); diff != "" {
				t.Errorf("what holds a child (-want +got):\n%s", diff)
			}
			for _, part := range tt.want.Lacks() {
				if !strings.Contains(said, part) {
					t.Errorf("it said %q, which does not name %s", said, part)
				}
			}
			b.wantScored(t)
			tt.wantRequired(t, lacking)
		})
	}
}

func (k kernel) wantRequired(t *testing.T, lacking func(*tokenscore.Config)) {
	t.Helper()
	cfg := config(t)
	lacking(&cfg)
	cfg.Sandbox = sandbox.Required
	pool, err := tokenscore.New(context.Background(), cfg)
	if err == nil {
		must.Check(t, pool.Close())
	}
	missing, is := errors.AsType[*sandbox.MissingError](err)
	switch {
	case k.refused == "" && err != nil:
		t.Errorf("required: %v, want a pool", err)
	case k.refused != "" && (!is || !strings.Contains(missing.Error(), k.refused) || !strings.Contains(err.Error(), "--sandbox auto")):
		t.Errorf("required: %v, want that %s is lacking, and what to do", err, k.refused)
	}
}

// The Go runtime has started threads before a child confines itself: these are
// confined too.
func TestEveryThreadIsConfined(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if !b.pool.Sandbox().Seccomp {
		t.Skip("this kernel has no seccomp")
	}
	for _, pid := range b.pool.Pids() {
		threads := must.Get(filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid)))(t)
		if len(threads) < 2 {
			t.Errorf("%d threads, want several", len(threads))
		}
		for _, thread := range threads {
			status := string(must.Get(os.ReadFile(thread))(t))
			for _, want := range []string{"\nNoNewPrivs:\t1\n", "\nSeccomp:\t2\n"} {
				if !strings.Contains(status, want) {
					t.Errorf("%s lacks %q:\n%s", thread, want, status)
				}
			}
		}
	}
}
