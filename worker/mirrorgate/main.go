// Command mirrorgate is a gateway to the mirror for programs outside the fleet that send
// from the same IP, such as the validator's own code or a person's script. It has the
// mirror's interface, and shares the fleet's limit.
package main

import (
	"os"

	"mirrorfleet/shared/command"
)

func main() {
	os.Exit(command.Run(newCommand(), os.Args, os.Stderr))
}
