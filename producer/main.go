package main

import (
	"os"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
)

func main() {
	os.Exit(command.Run(newCommand(), os.Args, os.Stderr))
}

func newCommand() *cli.Command {
	return &cli.Command{
		Name:                  "producer",
		Usage:                 "plan scoring rounds, follow them, conclude them into rewards",
		EnableShellCompletion: true,
		Commands: []*cli.Command{
			runCommand(), serveCommand(), showCommand(), failedCommand(), replayCommand(), limitCommand(),
			planCommand(), doctorCommand(),
		},
	}
}
