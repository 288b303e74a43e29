package sandbox //nolint:testpackage // reads the list of calls, which nothing exports

import (
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/must"
)

// A name that no machine knows would be left out without a word, and the call
// refused.
func TestEveryCallIsKnown(t *testing.T) {
	t.Parallel()
	for machine, want := range map[string][]string{"amd64": {"fstatat"}, "arm64": {"newfstatat", "epoll_wait", "time"}} {
		known := must.Get(arch.GetInfo(machine))(t).SyscallNames
		var unknown []string
		names := calls()
		for _, c := range conditionalCalls(1) {
			names = append(names, c.Name)
		}
		for _, name := range names {
			if _, is := known[name]; !is {
				unknown = append(unknown, name)
			}
		}
		if diff := cmp.Diff(want, unknown); diff != "" {
			t.Errorf("calls that %s does not have (-want +got):\n%s", machine, diff)
		}
	}
	p := must.Get(policy(1))(t)
	must.Get(p.Assemble())(t)
}
