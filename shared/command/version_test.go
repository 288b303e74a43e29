package command_test

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
)

// --version is one line, of a command and of all below it, and needs nothing else
// to be right.
func TestVersion(t *testing.T) {
	t.Parallel()
	for line, isVersion := range map[string]bool{
		"app --version":                   true,
		"app run --version":               true,
		"app run --nats x --version":      true,
		"app run --version --count x":     true,
		"app run --unknown --version":     true,
		"app show --version":              true, // which lacks an argument
		"app run --nats --version":        false,
		"app run --nats=y -- --version":   false,
		"app run --version=true --bogus":  false,
		"app completion bash --versionx ": false,
	} {
		var out, errs strings.Builder
		app := &cli.Command{Name: "app", Writer: &out, Commands: []*cli.Command{
			{Name: "run", Flags: append(command.Servers(), &cli.IntFlag{Name: "count"})},
			{Name: "show", Arguments: []cli.Argument{&cli.StringArg{Name: "round", Required: true}}},
		}}
		code := command.Run(app, strings.Fields(line), &errs)
		got := out.String()
		is := strings.HasPrefix(got, "app ") && strings.Count(got, "\n") == 1 && strings.HasSuffix(got, ", "+runtime.Version()+"\n")
		if is != isVersion || isVersion && (code != 0 || errs.Len() > 0) {
			t.Errorf("%s: exit %d, %q, %q, want a version: %t", line, code, got, errs.String(), isVersion)
		}
	}
}

// The line says what was built. Only a build that Go found no version for has the one that
// it was told.
func TestVersionLine(t *testing.T) {
	t.Parallel()
	vcs := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.modified", Value: modified}}
	}
	const told = "v4.5.6"
	for want, info := range map[string]*debug.BuildInfo{
		"app v1.2.3, revision 0123abcd, go1.99":            {GoVersion: "go1.99", Main: debug.Module{Version: "v1.2.3"}, Settings: vcs("false")},
		"app v1.2.3, revision 0123abcd (modified), go1.99": {GoVersion: "go1.99", Main: debug.Module{Version: "v1.2.3"}, Settings: vcs("true")},
		"app (devel), revision 0123abcd, go1.99":           {GoVersion: "go1.99", Main: debug.Module{Version: "(devel)"}, Settings: vcs("false")},
		"app v4.5.6, go1.99":                               {GoVersion: "go1.99", Main: debug.Module{Version: "(devel)"}},
		"app (unknown version), " + runtime.Version():      nil,
	} {
		if got := command.Version("app", info, told); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	bare := &debug.BuildInfo{GoVersion: "go1.99", Main: debug.Module{Version: "(devel)"}}
	if got, want := command.Version("app", bare, ""), "app (devel), go1.99"; got != want {
		t.Errorf("a build that was told nothing: %q, want %q", got, want)
	}
}

// A version that cannot be printed is a failure with its reason.
func TestVersionOnAFullDisk(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full here: %v", err)
	}
	defer full.Close()
	for _, args := range [][]string{{"app", "--version"}, {"app", "completion", "bash"}} {
		var errs strings.Builder
		code := command.Run(&cli.Command{Name: "app", Writer: full}, args, &errs)
		if code != command.ExitFailed || !strings.Contains(errs.String(), "no space left on device") {
			t.Errorf("%v: exit %d saying %q, want 1 and that the disk is full", args, code, errs.String())
		}
	}
}
