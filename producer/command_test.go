package main

import (
	"testing"

	"mirrorfleet/shared/command/commandtest"
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
