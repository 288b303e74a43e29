package main

import (
	"os"
	"strings"
	"testing"

	"mirrorfleet/shared/command/commandtest"
	"mirrorfleet/shared/must"
)

// Every flag has a variable and stands in the record of settings, by which
// other commands know what in a common configuration file is not theirs. The page
// of settings says of it what the help page says.
func TestSettings(t *testing.T) {
	t.Parallel()
	commandtest.Settings(t, newCommand(), "../shared/command/settings/producer.txt", map[string]string{})
	commandtest.Reference(t, newCommand(), "../docs/settings.md")
}

// Each help page as it was when somebody read it and found it right.
func TestHelp(t *testing.T) {
	t.Parallel()
	commandtest.Help(t, newCommand, "testdata/help")
}

// The README's table has a row for every command.
func TestTheReadmeListsEveryCommand(t *testing.T) {
	t.Parallel()
	readme := string(must.Get(os.ReadFile("../README.md"))(t))
	for _, c := range newCommand().Commands {
		named := "`producer " + c.Name + "`"
		if !strings.Contains(readme, "\n| "+named) && !strings.Contains(readme, ", "+named) {
			t.Errorf("the table of commands in README.md lacks %s", named)
		}
	}
}
