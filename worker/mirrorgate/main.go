// Command mirrorgate is a gateway to the mirror for whatever is not the fleet and sends
// from the same IP: the validator's own code, a person's script. It has the mirror's
// interface, and shares the fleet's limit.
package main

import (
	"os"

	"mirrorfleet/shared/command"
)

func main() {
	os.Exit(command.Run(newCommand(), os.Args, os.Stderr))
}
