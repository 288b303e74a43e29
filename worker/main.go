// Command worker takes miners' jobs from the stream, evaluates them against
// the mirror and commits the evaluations. Any number of worker processes may
// run; together they stay under the mirror's limit.
package main

import (
	"os"

	"mirrorfleet/shared/command"
)

func main() {
	os.Exit(command.Run(newCommand(), os.Args, os.Stderr))
}
