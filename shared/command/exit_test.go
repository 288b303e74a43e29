package command_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
)

// A command takes the arguments that it declares, in any order with its flags,
// and refuses every other one before it does anything.
func TestArguments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, line string
		want       []string // what the action sees: the command, its two arguments, its flag
		code       int
		says       string
	}{
		{"declared", "app show r 5", []string{"show", "r", "5", "false"}, 0, ""},
		{"flag between", "app show r --json 5", []string{"show", "r", "5", "true"}, 0, ""},
		{"flag last", "app show r 5 --json", []string{"show", "r", "5", "true"}, 0, ""},
		{"optional one left out", "app show r", []string{"show", "r", "", "false"}, 0, ""},
		{"required one left out", "app show", nil, 2, "round"},
		{"one too many", "app show r 5 6", nil, 2, `unexpected argument "6"`},
		{"none declared, none given", "app run", []string{"run", "", "", "false"}, 0, ""},
		{"none declared", "app run r", nil, 2, `unexpected argument "r"`},
		{"unknown command", "app walk", nil, 2, `"walk"`},
		{"unknown flag", "app show r --bogus", nil, 2, "bogus"},
		{"mistyped command", "app shwo r", nil, 2, `"shwo": did you mean "show"?`},
		{"mistyped flag", "app show r --jsn", nil, 2, `did you mean "--json"?`},
		{"an address for a number", "app run --count redis://:hidden@h/0", nil, 2, "://***@h/0"},
		{"an address for a flag", "app run --nats://u:hi/dden@h", nil, 2, "://***@h"},
		{"an address for a command", "app nats://u:hidden@h", nil, 2, "://***@h"},
		{"a flag without a value", "app run --count", nil, 2, "app: --count needs a value: want --count N ("},
		{"one dash", "app run -bogus", nil, 2, "app: unknown flag --bogus ("},
		{"a word for a number", "app run -count x", nil, 2, `app: --count "x": want a whole number (`},
		{"a word for a count", "app run --seed -1", nil, 2, `app: --seed "-1": want a whole number of 0 or more (`},
		{"a word for a share", "app run --share x", nil, 2, `app: --share "x": want a number (`},
		{"a word for a duration", "app run --every 5", nil, 2, `app: --every "5": want a duration with its unit, such as 30s or 2h (`},
		{"a word for a switch", "app show r --json=maybe", nil, 2, `app: --json "maybe": want true or false (`},
		{"what the flag's own check refuses", "app run --every 0s", nil, 2, "app: --every: 0s: want more than 0 ("},
		{"a level", "app run --log-level loud", nil, 2, `app: --log-level: "loud": want debug, info, warn or error (`},
		{"far from any flag", "app run --x", nil, 2, "app: unknown flag --x ("},
		{"what would steer the terminal", "app \x1b[31m\u202edeb", nil, 2, "app: unexpected argument "},
		{"mistyped common flag", "app run --confg f", nil, 2, `did you mean "--config"?`},
	}
	for _, tt := range tests {
		var seen []string
		action := func(_ context.Context, c *cli.Command) error {
			json := "false"
			if c.Bool("json") {
				json = "true"
			}
			seen = []string{c.Name, c.StringArg("round"), c.StringArg("uid"), json}
			return nil
		}
		app := &cli.Command{Name: "app", Commands: []*cli.Command{
			{Name: "run", Action: action, Flags: append(command.Observability(), &cli.IntFlag{Name: "count"},
				&cli.Uint64Flag{Name: "seed"}, &cli.FloatFlag{Name: "share"}, &cli.DurationFlag{Name: "every", Validator: command.Positive})},
			{
				Name: "show", Action: action, Flags: []cli.Flag{&cli.BoolFlag{Name: "json"}},
				Arguments: []cli.Argument{&cli.StringArg{Name: "round", Required: true}, &cli.StringArg{Name: "uid"}},
			},
		}}
		var stderr strings.Builder
		code := command.Run(app, strings.Fields(tt.line), &stderr)
		if strings.Contains(stderr.String(), "dden") {
			t.Errorf("%s: a password is shown: %s", tt.name, stderr.String())
		}
		if diff := cmp.Diff(tt.want, seen); diff != "" || code != tt.code || !strings.Contains(stderr.String(), tt.says) {
			t.Errorf("%s: exit %d, want %d saying %q; got %q; the action saw (-want +got)\n%s",
				tt.name, code, tt.code, tt.says, stderr.String(), diff)
		}
	}
}

// An error keeps what it says to write, hides what is secret, and steers no
// terminal, whoever wrote its parts.
func TestErrorsAreFitToShow(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"want redis://USER:PASSWORD@HOST:6379/0":           "want redis://USER:PASSWORD@HOST:6379/0",
		"nats://TOKEN@HOST or nats://USER@HOST":            "nats://TOKEN@HOST or nats://USER@HOST",
		"redis://:PASSWORD@HOST":                           "redis://:PASSWORD@HOST",
		"redis://USER:hunter2@HOST":                        "redis://***@HOST",
		"redis://me:PASSWORD@HOST":                         "redis://***@HOST",
		"nats://SECRET@a,nats://USER:PASSWORD@b":           "nats://***@b",
		"nats://USER:PASSWORD@x@HOST":                      "nats://***@HOST",
		"repository acme/\u202egpj.exe\x1b[2J\u200b\u009b": "repository acme/\uFFFDgpj.exe\uFFFD[2J\uFFFD\uFFFD",
		"first\nsecond":                                    "first\nsecond",
	} {
		var errs strings.Builder
		code := command.Run(&cli.Command{Name: "app", Action: func(context.Context, *cli.Command) error { return errors.New(text) }},
			[]string{"app"}, &errs)
		if got := errs.String(); code != command.ExitFailed || got != "app: "+want+"\n" {
			t.Errorf("exit %d, got %q, want %q", code, got, want)
		}
	}
}

// A variable is refused in the words in which a flag is.
func TestVariablesAreRefusedInWords(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"MIRRORFLEET_LEASE", "5", `app: MIRRORFLEET_LEASE "5": want a duration with its unit, such as 30s or 2h`},
		{"MIRRORFLEET_REPLICAS", "x", `app: MIRRORFLEET_REPLICAS "x": want a whole number`},
		{"MIRRORFLEET_REPLICAS", "2", "app: MIRRORFLEET_REPLICAS: 2 replicas: want 1, 3 or 5, or 0 to keep the present number"},
		{"MIRRORFLEET_LEASE", "redis://me:SECRET@a", `app: MIRRORFLEET_LEASE "redis://***@a": want a duration with its unit, such as 30s or 2h`},
	} {
		t.Run(c.value, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			var errs strings.Builder
			app := &cli.Command{Name: "app", Commands: []*cli.Command{{Name: "run", Flags: command.Streams()}}}
			if code := command.Run(app, []string{"app", "run"}, &errs); code != command.ExitUsage || errs.String() != c.want+"\n" {
				t.Errorf("exit %d, got %q, want %q", code, errs.String(), c.want)
			}
		})
	}
}
