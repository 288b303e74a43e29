package command_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/must"
)

// warned runs a command in an environment and returns what it says of that.
func warned(t *testing.T, app *cli.Command, args ...string) []string {
	t.Helper()
	var errs strings.Builder
	if code := command.Run(app, append([]string{app.Name}, args...), &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	return strings.Split(strings.TrimSuffix(errs.String(), "\n"), "\n")
}

func idle() *cli.Command {
	action := func(context.Context, *cli.Command) error { return nil }
	return &cli.Command{Name: "app", Flags: command.Servers(), Action: action, Commands: []*cli.Command{
		{Name: "inner", Hidden: true, Action: action},
	}}
}

// A variable that nothing reads is named with the one that it is most like, and
// stops nothing: others make variables of this prefix, too.
//
//nolint:paralleltest // the environment is the process's
func TestUnknownVariablesAreNamed(t *testing.T) {
	for _, pair := range [][2]string{
		{"MIRRORFLEET_REDS", "redis://:SECRET@a"}, {"MIRRORFLEET_EVREY", "5m"}, {"MIRRORFLEET_NATS_SERVICE_HOST", "a"},
		{"MIRRORFLEET_A\u202eB", "x"}, // it would turn the line around
		// Known: of this command, of others, of the validator's adapter, of tests.
		{"MIRRORFLEET_NATS", "nats://a"}, {"MIRRORFLEET_SLOTS", "x"}, {"MIRRORFLEET_CONFIG", ""}, {"MIRRORFLEET_URL", "x"},
		{"MIRRORFLEET_SIM_FAULT", "x"}, {"MIRRORFLEET_TEST_X", "x"}, {"OTHER_REDS", "x"},
	} {
		t.Setenv(pair[0], pair[1])
	}
	const says = "app: warning: nothing reads the environment variable MIRRORFLEET_"
	want := []string{
		says + "A\uFFFDB", says + "EVREY: did you mean \"MIRRORFLEET_EVERY\"?", says + "NATS_SERVICE_HOST",
		says + "REDS: did you mean \"MIRRORFLEET_REDIS\"?",
	}
	if got := warned(t, idle()); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := warned(t, idle(), "inner"); !slices.Equal(got, []string{""}) {
		t.Errorf("a hidden command says %q, want nothing: who started it has said it", got)
	}
}

// Every variable that something of the product's reads is known.
//
//nolint:paralleltest // as above
func TestEveryVariableIsKnown(t *testing.T) {
	read := regexp.MustCompile(`(?:Getenv|LookupEnv|environ\.get)\("(MIRRORFLEET_[A-Z_]+)"`)
	names := map[string]bool{}
	must.Do(t, filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".go", ".py"}, filepath.Ext(path)) {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range read.FindAllStringSubmatch(string(data), -1) {
			names[m[1]] = true
		}
		return err
	}))
	if len(names) < 20 {
		t.Fatalf("found %d variables, want all: the search is wrong", len(names))
	}
	for name := range names {
		t.Setenv(name, "")
	}
	if got := warned(t, idle()); !slices.Equal(got, []string{""}) {
		t.Errorf("environment.txt lacks:\n%s", strings.Join(got, "\n"))
	}
}
