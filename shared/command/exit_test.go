package command_test

import (
	"context"
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
			{Name: "run", Action: action, Flags: []cli.Flag{&cli.IntFlag{Name: "count"}}},
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
