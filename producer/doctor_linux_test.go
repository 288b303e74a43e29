package main_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"

	"mirrorfleet/shared/must"
)

// A kernel that lacks a part of --sandbox required was once diagnosed as unusable
// grammars. Processes that this thread starts have no Landlock. The thread ends with the
// test.
func TestDoctorFindsALackingSandbox(t *testing.T) {
	t.Setenv("MIRRORFLEET_SANDBOX", "required")
	runtime.LockOSThread()
	must.Do(t, seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls: []seccomp.SyscallGroup{
			{Names: []string{"landlock_create_ruleset"}, Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)},
		},
	}}))
	d := examined(t, 1, "--local", "--state", t.TempDir())
	if got := codes(d); !slices.Equal(got, []string{"sandbox-lacking"}) {
		t.Errorf("found %v, want sandbox-lacking", got)
	}
	for _, finding := range d.Checks {
		if finding.Code == "sandbox-lacking" && !strings.Contains(finding.Text, "Landlock") {
			t.Errorf("%q does not name Landlock", finding.Text)
		}
	}
}
