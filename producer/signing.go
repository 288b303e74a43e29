package main

import (
	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/signing"
)

const groupSigning = "Signatures"

// signingFlags are for commands that conclude rounds.
func signingFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "signing-key", Category: groupSigning, Sources: command.Env("signing-key"), TakesFile: true,
			Usage: "`FILE` of the ed25519 private key (PEM) that rounds and their outcomes are signed with; without it they are unsigned",
		},
		verifyFlag(),
	}
}

// verifyFlag is for every command that reads rounds.
func verifyFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "verify-key", Category: groupSigning, Sources: command.Env("verify-key"), TakesFile: true,
		Usage: "`FILE` of the ed25519 public keys (PEM): what none of them has signed is refused; without any key nothing is verified",
	}
}

// keysOf reads the keys that the flags name.
func keysOf(c *cli.Command) (keys signing.Keys, err error) {
	if path := c.String("verify-key"); path != "" {
		if keys, err = keys.Public(path); err != nil {
			return keys, command.Usage("--verify-key: %w", err)
		}
	}
	if path := c.String("signing-key"); path != "" {
		if keys, err = keys.Private(path); err != nil {
			return keys, command.Usage("--signing-key: %w", err)
		}
	}
	return keys, nil
}
