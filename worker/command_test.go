package main

import (
	"flag"
	"testing"

	"mirrorfleet/shared/command/commandtest"
)

var _ = flag.Bool("update", false, "write the golden files anew")

// Every flag has a variable and stands in the record of settings, by which
// other commands know what in a common configuration file is not theirs. The page
// of settings says of it what the help page says.
func TestSettings(t *testing.T) {
	t.Parallel()
	commandtest.Settings(t, newCommand(), "../shared/command/settings/worker.txt", map[string]string{
		"worker --exit-with-stdin": "whoever starts the process says it of that process alone",
		"worker score --grammars":  "the worker starts this child and tells it all that it needs",
		"worker score --sandbox":   "the same: the child has no environment",
	})
	commandtest.Reference(t, newCommand(), "../docs/settings.md")
}

// Each help page as it was when somebody read it and found it right.
func TestHelp(t *testing.T) {
	t.Parallel()
	commandtest.Help(t, newCommand, "testdata/help")
}
