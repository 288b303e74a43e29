package command_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/must"
)

// seen is what a command finds its flags to be.
type seen struct {
	Ran, NATS, Level string
	Wait             time.Duration
	Limit            int
	Rate             float64
	JSON             bool
	Languages        []string
	Set              bool // --nats
}

// configured runs a command with commands below it on a configuration file.
func configured(t *testing.T, text, line string) (seen, int, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fleet.yaml")
	must.Do(t, os.WriteFile(path, []byte(text), 0o600))
	var got seen
	action := func(_ context.Context, c *cli.Command) error {
		got = seen{
			c.Name, c.String("nats"), c.String("log-level"), c.Duration("connect-timeout"), c.Int("limit-requests"), c.Float("limit-rate"),
			c.Bool("json"), c.StringSlice("languages"), c.IsSet("nats"),
		}
		return nil
	}
	flags := func() []cli.Flag {
		return append(append(append(command.Servers(), command.Limit()...), command.Observability()...),
			&cli.BoolFlag{Name: "json", Sources: command.Env("json")},
			&cli.StringSliceFlag{Name: "languages", Sources: command.Env("languages"), Value: []string{"csharp"}},
			&cli.BoolFlag{Name: "inner", Hidden: true})
	}
	app := &cli.Command{Name: "app", Commands: []*cli.Command{
		{Name: "run", Flags: flags(), Action: action},
		{Name: "show", Flags: flags(), Action: action},
		{Name: "child", Flags: flags(), Action: action, Hidden: true},
	}}
	var stderr strings.Builder
	code := command.Run(app, append([]string{"app", "--config", path}, strings.Fields(line)...), &stderr)
	return got, code, strings.ReplaceAll(stderr.String(), path, "FILE")
}

const fleetFile = `# a fleet's settings
nats: nats://top:4222      # for all
log-level: warn
connect-timeout: 5s
limit-rate: 4
worker:                    # another command's
  slots: 8
sim-limit: 50
app:
  limit-requests: 40
  log-level: debug
  run:
    log-level: error
    json: true
    languages: [csharp, cobol]
  show:
    languages: []
`

// The nearest section counts; what the file does not say is as without it.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text, line string
		want             seen
	}{
		{"a command's own section", fleetFile, "run", seen{"run", "nats://top:4222", "error", 5 * time.Second, 40, 4, true, []string{"csharp", "cobol"}, true}},
		{"the section above", fleetFile, "show", seen{"show", "nats://top:4222", "debug", 5 * time.Second, 40, 4, false, []string{""}, true}},
		{"a flag goes before it", fleetFile, "run --nats nats://flag:1 --limit-requests 7 --languages go", seen{
			"run", "nats://flag:1", "error", 5 * time.Second, 7, 4, true, []string{"go"}, true,
		}},
		{"an empty file", "", "run", seen{"run", "", "info", 30 * time.Second, 50, 0, false, []string{"csharp"}, false}},
		{"nothing but comments", "# nothing\n---\n# at all\n", "run", seen{"run", "", "info", 30 * time.Second, 50, 0, false, []string{"csharp"}, false}},
		{"an empty section", "app: {}", "run", seen{"run", "", "info", 30 * time.Second, 50, 0, false, []string{"csharp"}, false}},
		{"a list in one text", "languages: a,b", "run", seen{"run", "", "info", 30 * time.Second, 50, 0, false, []string{"a", "b"}, false}},
		{"a hidden command", "nonsense: [", "child", seen{"child", "", "info", 30 * time.Second, 50, 0, false, []string{"csharp"}, false}},
	} {
		got, code, stderr := configured(t, tt.text, tt.line)
		if diff := cmp.Diff(tt.want, got); diff != "" || code != 0 {
			t.Errorf("%s: exit %d, %s(-want +got)\n%s", tt.name, code, stderr, diff)
		}
	}
}

// The environment goes before the file, and names the file.
func TestTheEnvironmentGoesBeforeTheFile(t *testing.T) {
	t.Setenv("MIRRORFLEET_LOG_LEVEL", "info")
	t.Setenv("MIRRORFLEET_LANGUAGES", "java")
	got, code, stderr := configured(t, fleetFile, "run")
	want := seen{"run", "nats://top:4222", "info", 5 * time.Second, 40, 4, true, []string{"java"}, true}
	if diff := cmp.Diff(want, got); diff != "" || code != 0 {
		t.Errorf("exit %d, %s(-want +got)\n%s", code, stderr, diff)
	}
	t.Setenv("MIRRORFLEET_CONFIG", filepath.Join(t.TempDir(), "missing.yaml"))
	app := &cli.Command{Name: "app", Action: func(context.Context, *cli.Command) error { return errors.New("it ran") }}
	var out strings.Builder
	if code := command.Run(app, []string{"app"}, &out); code != 2 || !strings.Contains(out.String(), "missing.yaml") {
		t.Errorf("exit %d saying %q, want 2 naming the missing file", code, out.String())
	}
}

// Whatever is wrong is told at once, with its line and what would be right,
// before the command does anything; no password is among it.
func TestConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"unknown key", "\n\nlimt-rate: 4", `line 3: unknown key "limt-rate": did you mean "limit-rate"?`},
		{"underscores", "connect_timeout: 4s", `unknown key "connect_timeout": did you mean "connect-timeout"?`},
		{"like nothing", "colour-of-the-sea: blue", `unknown key "colour-of-the-sea": --help of each command lists its settings`},
		{"two at once", "natz: a\nredsi: b", "line 1: unknown key \"natz\": did you mean \"nats\"?\nline 2: unknown key \"redsi\": did you mean \"redis\"?"},
		{"unknown in a section", "app:\n  run:\n    jsn: true", `line 3: unknown key "jsn" in app.run: did you mean "json"?`},
		{"unknown section", "appp:\n  jsn: true", `line 1: unknown command "appp": did you mean "app"?`},
		{"another command's", "app:\n  grace: 2s", `line 2: unknown key "grace" in app: it is a setting of worker`},
		{"a command, not a key", "app: 5", `line 1: "app" is a command, want settings below it`},
		{"a setting, not a command", "nats:\n  url: x", `line 1: "nats" is a setting, want a value`},
		{"no file in a file", "config: other.yaml", `line 1: unknown key "config"`},
		{"twice", "json: true\nnats: a\njson: false", "line 3: json is set twice, first in line 1"},
		{"no value", "app:\n  json:", "line 2: json has no value"},
		{"a text for a number", "limit-requests: many", `line 1: limit-requests is "many", want a whole number`},
		{"a quoted number", `limit-requests: "5"`, `line 1: limit-requests is "5", want a whole number`},
		{"a fraction", `limit-requests: 5.5`, `line 1: limit-requests is "5.5", want a whole number`},
		{"no unit", "connect-timeout: 30", `line 1: connect-timeout is "30", want a duration with its unit, such as 30s or 2h`},
		{"no boolean", "json: 1", `line 1: json is "1", want true or false`},
		{"a number for a text", "egress: 5", `line 1: egress is "5", want a text (in quotes, if it could be read as something else)`},
		{"a list for one", "egress: [a, b]", `line 1: egress is a list, want a text`},
		{"a number in a list", "languages:\n  - a\n  - 5", `line 1: languages is "5", want a text`},
		{"against the setting's own rule", "limit-requests: 0", "line 1: limit-requests: 0: want at least 1"},
		{"nested too deep", "languages: [[a]]", "line 1: languages: want a value or a list of values"},
		{"an anchor", "egress: &a x\nname: *a", "line 2: name: want a value or a list of values"},
		{"two documents", "json: true\n---\njson: false", "want one YAML document"},
		{"a list of settings", "- json", `line 1: want settings such as "log-level: info", one a line`},
		{"no YAML", "json: true\negress: b: c", "reading it as YAML: yaml: line 2"},
		{"a number as a key", "5: x", `line 1: "5" is no key`},
		{"a secret of the wrong type", "redis: [redis://:hunter2@host]", "line 1: redis is a list, want a text"},
		{"a secret's number", "redis: 55501", "line 1: redis is something else (it is not shown), want a text"},
		{"a secret where none belongs", "listen: nats://u:hunter2@h:1", ""},
	} {
		got, code, stderr := configured(t, tt.text, "run")
		if tt.want == "" { // it is a setting of others: nothing is wrong here
			if code != 0 {
				t.Errorf("%s: exit %d, %s", tt.name, code, stderr)
			}
			continue
		}
		if code != 2 || !strings.Contains(stderr, "--config FILE: ") || !strings.Contains(stderr, tt.want) || got.Ran != "" {
			t.Errorf("%s: exit %d, ran %q, said\n%swant 2 with\n%s", tt.name, code, got.Ran, stderr, tt.want)
		}
		if strings.Contains(stderr, "hunter2") || strings.Contains(stderr, "55501") {
			t.Errorf("%s: a secret in %s", tt.name, stderr)
		}
	}
	if _, code, stderr := configured(t, "# "+strings.Repeat("x", 1<<20), "run"); code != 2 || !strings.Contains(stderr, "larger than") {
		t.Errorf("a huge file: exit %d, %s", code, stderr)
	}
}

// A variable that cannot be read is wrong usage, too.
func TestWrongVariablesAreWrongUsage(t *testing.T) {
	t.Setenv("MIRRORFLEET_LIMIT_REQUESTS", "many")
	if _, code, stderr := configured(t, "", "run"); code != 2 || !strings.Contains(stderr, "MIRRORFLEET_LIMIT_REQUESTS") {
		t.Errorf("exit %d, %s, want 2 naming the variable", code, stderr)
	}
}

// FuzzConfiguration: no file panics, and none that is refused is half applied.
func FuzzConfiguration(f *testing.F) {
	for _, text := range []string{fleetFile, "a: &a [*a]", "? {x: y}\n: z", "a: !!binary x", "<<: {json: true}", "app: {run: {app: {run: {}}}}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, code, stderr := configured(t, text, "run"); (code == 0) != (got.Ran == "run") || code != 0 && code != 2 {
			t.Errorf("%q: exit %d, ran %q, %s", text, code, got.Ran, stderr)
		}
	})
}

// What a shell is told: each word with what may follow it.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"app|":                             "run show completion",
		"app|r":                            "run",
		"app|run|--repl":                   "--replicas",
		"app|run|--nats|":                  "", // a value: the shell offers files
		"app|run|--nats=x|--json|":         "",
		"app|run|--json|--he":              "--help",
		"app|run|--conf":                   "--config",
		"app|--config|x|":                  "run show completion",
		"app|run|--inn":                    "", // hidden
		"app|show|":                        "latest",
		"app|show|latest|":                 "",
		"app|show|--|--na":                 "",
		"app|completion|":                  "bash fish zsh",
		"app|completion|z":                 "zsh",
		"app|run|--replicas|":              "0 1 3 5",
		"app|run|--replicas|3":             "3",
		"app|run|--replicas=":              "--replicas=0 --replicas=1 --replicas=3 --replicas=5", // zsh, fish: one word
		"app|run|--replicas|=|":            "0 1 3 5",                                             // bash: three
		"app|run|--replicas|=|3|":          "",
		"app|run|--kinds|":                 "pulls issues",
		"app|run|--kinds|pulls,":           "pulls,issues",
		"app|run|--kinds=issues,p":         "--kinds=issues,pulls",
		"app|run|--kinds|x,y,is":           "x,y,issues",
		"app|run|--unknown=":               "",
		"app|run|--of|":                    "/json",
		"app|run|--json|--kinds|x|--of|":   "x/json",
		"app|run|--kinds=y|--of=":          "--of=y/json",
		"app|run|--nats|x|here|--asked|":   "x/here",
		"app|run|--nats=x|here|--asked=x/": "--asked=x/here",
		"app|run|--nats=x|here|--asked|=|": "x/here", // bash
		"app|run|--nats=x|--asked|y":       "",
		"app|run|--replicas|many|--asked|": "", // a line that cannot be run
		"app|run|--vers":                   "--version",
	} {
		var out strings.Builder
		app := &cli.Command{Name: "app", Writer: &out, Commands: []*cli.Command{
			{Name: "run", Flags: append(command.Streams(), append(command.Servers(),
				command.Offers(&cli.StringSliceFlag{Name: "kinds"}, "pulls", "issues"), &cli.BoolFlag{Name: "json"},
				command.OffersFrom(&cli.StringFlag{Name: "of"}, ofKinds), command.OffersAsked(&cli.StringFlag{Name: "asked"}, asked),
				&cli.BoolFlag{Name: "inner", Hidden: true})...), Arguments: []cli.Argument{&cli.StringArg{Name: "where"}}},
			{Name: "show", Flags: command.Servers(), Arguments: []cli.Argument{&cli.StringArg{Name: "round"}}},
			{Name: "score", Hidden: true},
		}}
		code := command.Run(app, append(strings.Split(line, "|"), "--complete-words"), &out)
		var got []string
		for row := range strings.Lines(out.String()) {
			got = append(got, strings.SplitN(row, "\t", 2)[0])
		}
		if code != 0 || strings.Join(got, " ") != want {
			t.Errorf("%s: exit %d, %q, want %q", fmt.Sprintf("%q", line), code, got, want)
		}
	}
}

// ofKinds offers what depends on another flag: its value on the line, or its variable's.
func ofKinds(setting func(string) string) []string { return []string{setting("kinds") + "/json"} }

// asked offers what depends on the whole line.
func asked(_ context.Context, c *cli.Command) []command.Offer {
	return []command.Offer{{Value: c.String("nats") + "/" + c.StringArg("where"), Usage: "of\x1b[2J a\nserver"}}
}
