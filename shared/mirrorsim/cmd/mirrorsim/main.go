// Command mirrorsim serves a simulated mirror for trials: a world, with the
// miners file and the registry file of a round over it, behind a limit that
// counts as the real one may.
package main

import (
	"os"

	"mirrorfleet/shared/command"
)

func main() {
	os.Exit(command.Run(newCommand(os.Stdin, os.Stdout, os.Stderr), os.Args, os.Stderr))
}
