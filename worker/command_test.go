package main

import (
	"flag"
	"testing"

	"mirrorfleet/shared/command/commandtest"
)

var _ = flag.Bool("update", false, "write the golden files anew")

// Every flag has a variable and an entry in the record of settings. By that record each
// command knows which keys of a shared configuration file belong to others. The page of
// settings says the same of a flag as the help page.
func TestSettings(t *testing.T) {
	t.Parallel()
	commandtest.Settings(t, newCommand(), "../shared/command/settings/worker.txt", map[string]string{
		"worker --exit-with-stdin": "whoever starts the process says it of that process alone",
		"worker score --grammars":  "the worker starts this child and tells it all that it needs",
		"worker score --sandbox":   "the same: the child has no environment",
	})
	commandtest.Reference(t, newCommand(), "../docs/settings.md")
}

// Each help page is as recorded. Somebody has read the recorded page and found it right.
func TestHelp(t *testing.T) {
	t.Parallel()
	commandtest.Help(t, newCommand, "testdata/help")
}
