package main

import (
	"io"

	"mirrorfleet/shared/command"
)

// RunInProcess runs the command in the test's own process, with an output of its own.
func RunInProcess(stdout, stderr io.Writer, args ...string) int {
	cmd := newCommand()
	cmd.Writer = stdout
	return command.Run(cmd, append([]string{"producer"}, args...), stderr)
}
