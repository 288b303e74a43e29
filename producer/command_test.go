package main

import (
	"os"
	"strings"
	"testing"

	"mirrorfleet/shared/command/commandtest"
	"mirrorfleet/shared/must"
)

// Every flag has a variable and an entry in the record of settings. By that record each
// command knows which keys of a shared configuration file belong to others. The page of
// settings says the same of a flag as the help page.
func TestSettings(t *testing.T) {
	t.Parallel()
	commandtest.Settings(t, newCommand(), "../shared/command/settings/producer.txt", map[string]string{})
	commandtest.Reference(t, newCommand(), "../docs/settings.md")
}

// Each help page is as recorded. Somebody has read the recorded page and found it right.
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
