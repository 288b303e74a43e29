package main

import (
	"os"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
)

// main hands everything to command.Run: signals, the configuration file, and the exit code
// that an error stands for.
func main() {
	os.Exit(command.Run(newCommand(), os.Args, os.Stderr))
}

// newCommand lists the commands in the order of the help page: running rounds, reading them,
// planning, then operating the fleet. Each command has a file of its own, and shared/house
// checks that it uses nothing of another's. A test compares the list with the README.
func newCommand() *cli.Command {
	return &cli.Command{
		Name:  "producer",
		Usage: "plan scoring rounds, follow them, conclude them into rewards",
		Description: "Exit codes: 0 done, 1 the work failed or a round is not complete, 2 wrong usage or input, 130 stopped by a signal.\n\n" +
			"Examples:\n" +
			"  producer run --local                       # a round on this machine\n" +
			"  producer show latest 5 --local             # why miner 5 has its score\n" +
			"  producer rewards --nats nats://nats:4222   # what the last round gives\n" +
			"  producer run --help                        # a command's flags",
		Commands: []*cli.Command{
			runCommand(), serveCommand(), roundsCommand(), showCommand(), rewardsCommand(), failedCommand(), replayCommand(), rescoreCommand(),
			cancelCommand(), pauseCommand(), resumeCommand(), nowCommand(), exportCommand(), whatIfCommand(), shadowCommand(), previewCommand(),
			planCommand(), warmCommand(), watchCommand(), workersCommand(), egressesCommand(), limitCommand(), tokensCommand(), doctorCommand(),
			backupCommand(), restoreCommand(),
		},
	}
}
