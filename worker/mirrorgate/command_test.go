package main

import (
	"flag"
	"testing"

	"mirrorfleet/shared/command/commandtest"
)

var _ = flag.Bool("update", false, "write the golden files anew")

func TestSettings(t *testing.T) {
	t.Parallel()
	commandtest.Settings(t, newCommand(), "../../shared/command/settings/mirrorgate.txt", nil)
	commandtest.Reference(t, newCommand(), "../../docs/settings.md")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	commandtest.Help(t, newCommand, "testdata/help")
}
