package main

import (
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"
	"go.uber.org/goleak"

	"mirrorfleet/shared/command/commandtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ = flag.Bool("update", false, "write the golden files anew")

func quiet() *cli.Command { return newCommand(strings.NewReader(""), io.Discard, io.Discard) }

// Every flag has a variable and stands in the record of settings, by which
// other commands know what in a common configuration file is not theirs. The page
// of settings says of it what the help page says.
func TestSettings(t *testing.T) {
	t.Parallel()
	commandtest.Settings(t, quiet(), "../../../command/settings/mirrorsim.txt", map[string]string{})
	commandtest.Reference(t, quiet(), "../../../../docs/settings.md")
}

// Each help page as it was when somebody read it and found it right.
func TestHelp(t *testing.T) {
	t.Parallel()
	commandtest.Help(t, quiet, "testdata/help")
}
