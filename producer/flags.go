package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/session"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/openissues"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/scoring/tokens"
)

// The headings under which a help page lists flags. The shared lists of package command have
// their own; a command's file may add one for its own flags.
const (
	groupRound    = "The round"
	groupLocal    = "One machine"
	groupOthers   = "Other producers, and crashes"
	groupOutput   = "Output"
	groupMiners   = "The miners"
	groupSigning  = "Signatures"
	groupSchedule = "The schedule"
	groupHand     = "By hand"
	groupReplay   = "Selection"
)

// defaultState is the default of --state.
const defaultState = ".mirrorfleet"

// only keeps the flags of these names, in the order of flags. It changes the slice in
// place: pass it one that a function has just made.
func only(flags []cli.Flag, names ...string) []cli.Flag {
	return slices.DeleteFunc(flags, func(f cli.Flag) bool { return !slices.Contains(names, f.Names()[0]) })
}

// roundFlags are for commands that plan a round; others take a part of them (only).
func roundFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:     "miners",
			Category: groupRound,
			Sources:  command.Env("miners"),
			Usage:    "`FILE` of the miners: a JSON list of uid, hotkey, github_id",
		},
		&cli.StringFlag{
			Name:     "registry",
			Category: groupRound,
			Sources:  command.Env("registry"),
			Usage:    "`FILE` of the repositories, the validator's master_repositories.json",
		},
		&cli.StringFlag{
			Name:     "weights",
			Category: groupRound,
			Sources:  command.Env("weights"),
			Usage:    "`DIR` with the validator's programming_languages.json and token_weights.json; default: the product's own copies",
		},
		&cli.StringFlag{
			Name:     "as-of",
			Category: groupRound,
			Sources:  command.Env("as-of"),
			Usage:    "the round's `INSTANT` (RFC 3339); default: now",
		},
		// C# is what the validator's installation cannot load: docs/rules/grammars.md.
		command.Offers(&cli.StringSliceFlag{
			Name:     "unloadable",
			Category: groupRound,
			Sources:  command.Env("unloadable"),
			Value:    []string{"csharp"},
			Usage:    "`LANGUAGES` whose files count no nodes, because the validator's installation cannot load their grammar; \"\" for none",
		}, tokens.Languages()...),
		command.Offers(&cli.StringFlag{
			Name:     "resume",
			Category: groupRound,
			Sources:  command.Env("resume"),
			Usage:    "resume `ROUND` instead of planning one; \"latest\" is the last round planned",
		}, view.Latest),
		&cli.BoolFlag{
			Name:     "json",
			Category: groupRound,
			Sources:  command.Env("json"),
			Usage:    "print the outcome as JSON on standard output, everything else on standard error",
		},
	}
}

// localFlags are for commands that can run a fleet on this machine. The most workers,
// 64, are as many as the limiter was measured with (docs/limit.md).
func localFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{
			Name:     "local",
			Category: groupLocal,
			Sources:  command.Env("local"),
			Usage:    "run the whole fleet on this machine: NATS and Redis inside this process, workers as child processes",
		},
		&cli.StringFlag{
			Name:     "state",
			Category: groupLocal,
			Sources:  command.Env("state"),
			Value:    defaultState,
			Usage:    "`DIR` that keeps streams and logs between local rounds",
		},
		&cli.IntFlag{
			Name:     "workers",
			Category: groupLocal,
			Sources:  command.Env("workers"),
			Value:    2,
			Usage:    "worker processes to start",
			Validator: func(n int) error {
				if n >= 1 && n <= 64 {
					return nil
				}
				return fmt.Errorf("%d workers: want 1 to 64", n)
			},
		},
		command.Offers(&cli.StringFlag{
			Name:     "world",
			Category: groupLocal,
			Sources:  command.Env("world"),
			Usage:    "`WORLD` that the simulated mirror serves: demo, git:DIR[,DIR...] or case:FILE; demo unless --mirror is given",
		}, "demo"),
	}
}

// lookFlags are --json, --local and --state, for commands that run no round. local is
// the help text of --local, which means something else in each of them.
func lookFlags(local string) []cli.Flag {
	return append([]cli.Flag{
		&cli.BoolFlag{
			Name:     "json",
			Category: groupOutput,
			Sources:  command.Env("json"),
			Usage:    "print JSON on standard output, as docs/api.md describes it",
		},
		&cli.BoolFlag{
			Name:     "local",
			Category: groupLocal,
			Sources:  command.Env("local"),
			Usage:    local,
		},
	}, only(localFlags(), "state")...)
}

// readLocal is the help text of --local for commands that read rounds.
const readLocal = "read the local rounds of --state, whether or not a producer runs there"

// readFlags are the flags of every command that reads only NATS.
func readFlags() []cli.Flag {
	servers := only(command.Servers(), append(command.NATSFiles(), "nats", "connect-timeout")...)
	return slices.Concat(lookFlags(readLocal), servers, []cli.Flag{verifyFlag()}, command.Observability())
}

// revisionFlag is for commands that show one outcome; revisionOf reads it.
func revisionFlag() cli.Flag {
	return &cli.IntFlag{
		Name:     "revision",
		Category: groupRound,
		Sources:  command.Env("revision"),
		Usage:    "the `N`th outcome of the round; 0 is the latest",
	}
}

// otherFlags say when a producer takes over a round from another one, or from a
// former process of its own, and how soon it notices what a crash has left. The --takeover
// of the producer that leads counts, not the standby's.
func otherFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{
			Name:      "takeover",
			Category:  groupOthers,
			Sources:   command.Env("takeover"),
			Value:     15 * time.Second,
			Usage:     "how long a producer may be silent before a standby takes over its round",
			Validator: command.AtLeast(time.Second),
		},
		&cli.DurationFlag{
			Name:      "reconcile",
			Category:  groupOthers,
			Sources:   command.Env("reconcile"),
			Value:     15 * time.Second,
			Usage:     "how often outstanding jobs are compared with the queue",
			Validator: command.AtLeast(time.Second),
		},
	}
}

// allIssuesFlag is beside --mirror, for commands that plan rounds. People give MiB, the
// session takes bytes. The most, 1 GiB, bounds the memory that a wrong value can take.
func allIssuesFlag() cli.Flag {
	return &cli.IntFlag{
		Name:     "all-issues",
		Category: command.GroupServers,
		Sources:  command.Env("all-issues"),
		Value:    openissues.DefaultBytes >> 20,
		Usage:    "take what the mirror says of all issues in one answer of at most `MIB` MiB; 0 asks for each miner's issues",
		Validator: func(mib int) error {
			if mib >= 0 && mib <= 1<<10 {
				return nil
			}
			return fmt.Errorf("%d MiB: want 0 to 1024", mib)
		},
	}
}

// egressFlags are for commands that say which egresses the fleet has. The flag has no Value,
// because its default depends on the declared egresses: see egressesOf.
func egressFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{
			Name:        "egresses",
			Category:    command.GroupLimit,
			Sources:     command.Env("egresses"),
			DefaultText: "the declared ones, if --egress is among them; else --egress alone",
			Usage:       "`NAMES` of all egresses of the fleet, separated by commas; a worker of any other egress hands its jobs back and exits",
		},
	}
}

// signingFlags are for commands that conclude rounds.
func signingFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:      "signing-key",
			Category:  groupSigning,
			Sources:   command.Env("signing-key"),
			TakesFile: true,
			Usage:     "`FILE` of the ed25519 private key (PEM) that signs rounds and their outcomes; without it they are unsigned",
		},
		verifyFlag(),
	}
}

// verifyFlag is for every command that reads rounds.
func verifyFlag() cli.Flag {
	return &cli.StringFlag{
		Name:      "verify-key",
		Category:  groupSigning,
		Sources:   command.Env("verify-key"),
		TakesFile: true,
		Usage:     "`FILE` of ed25519 public keys (PEM): data that none of them has signed is refused; without this flag nothing is verified",
	}
}

// webFlag is for a command that runs one round.
func webFlag() cli.Flag {
	return &cli.StringFlag{
		Name:     "web",
		Category: groupOutput,
		Sources:  command.Env("web"),
		Usage: "serve the dashboard and the API on `ADDRESS` of this machine, such as 127.0.0.1:8440, " +
			"while the round runs and then until Ctrl-C; orders need the token of the file api-token in --state, which is made if there is none",
		Validator: command.Address,
	}
}

// traceFlags are for commands that run one round.
func traceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{
			Name:     "trace",
			Category: command.GroupObservability,
			Sources:  command.Env("trace"),
			Usage: "send traces to a collector on this machine (" + session.DefaultCollector + "), unless OTEL_EXPORTER_OTLP_ENDPOINT names " +
				"another, and print the link to the round's trace",
		},
		&cli.StringFlag{
			Name:     "jaeger",
			Category: command.GroupObservability,
			Sources:  command.Env("jaeger"),
			Value:    "http://localhost:16686",
			Usage:    "base `URL` of Jaeger's pages, for links to traces",
		},
	}
}

// minerFlags name the files of a validator's installation that say who is scored. The
// metagraph may by default be as old as three rounds of the default schedule, so that an
// export that fails once or twice postpones nothing.
func minerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:     "tokens",
			Category: groupMiners,
			Sources:  command.Env("tokens"),
			Usage:    "`FILE` of the access tokens that the validator has stored: a JSON list of uid, hotkey, pat, github_id",
		},
		&cli.StringFlag{
			Name:     "metagraph",
			Category: groupMiners,
			Sources:  command.Env("metagraph"),
			Usage:    "`FILE` with an export of the metagraph: JSON, uid to hotkey",
		},
		&cli.DurationFlag{
			Name:      "metagraph-max-age",
			Category:  groupMiners,
			Sources:   command.Env("metagraph-max-age"),
			Value:     6 * time.Hour,
			Usage:     "how old that export may be; an older one postpones the round",
			Validator: command.AtLeast(time.Second),
		},
		&cli.StringFlag{
			Name:     "github",
			Category: groupMiners,
			Sources:  command.Env("github"),
			Value:    miners.DefaultGitHub,
			Usage:    "base `URL` of GitHub's API, which names the account of a token",
		},
	}
}

// dryRunFlag is for commands that run miners again.
func dryRunFlag() cli.Flag {
	return &cli.BoolFlag{
		Name:     "dry-run",
		Category: groupReplay,
		Sources:  command.Env("dry-run"),
		Usage:    "print what would be run again, and do nothing",
	}
}

// roundOrderFlag makes a pause or a resume one of a round.
func roundOrderFlag(usage string) cli.Flag {
	return &cli.BoolFlag{
		Name:     "round",
		Category: groupRound,
		Sources:  command.Env("round"),
		Usage:    usage,
	}
}

// backupJSON is --json of backup and restore, which have a format of their own.
func backupJSON() cli.Flag {
	return &cli.BoolFlag{
		Name:     "json",
		Category: groupOutput,
		Sources:  command.Env("json"),
		Usage:    "print the backup's manifest, or what the restore did, as JSON on standard output",
	}
}

// backupFlags say where local rounds are; local is the help text of --local.
func backupFlags(local string) []cli.Flag {
	return only(lookFlags(local), "local", "state")
}

// warmUpFlags are the settings of a warm-up. takes describes the time that one takes.
func warmUpFlags(takes string, minimum time.Duration) []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{
			Name:     "warm-up",
			Category: groupSchedule,
			Sources:  command.Env("warm-up"),
			Value:    20 * time.Minute,
			Usage:    takes,
			Validator: func(d time.Duration) error {
				if d >= minimum && d <= job.MaxWarmUp {
					return nil
				}
				return fmt.Errorf("%s: want %s to %s", d, minimum, job.MaxWarmUp)
			},
		},
		&cli.FloatFlag{
			Name:     "warm-up-share",
			Category: groupSchedule,
			Sources:  command.Env("warm-up-share"),
			Value:    ratelimit.DefaultShare,
			Usage:    "the `PART` of each egress's limit that a warm-up takes at most",
			Validator: func(share float64) error { // 0 would be a warm-up that never sends
				if share >= 0.01 && share <= 1 {
					return nil
				}
				return fmt.Errorf("%v: want 0.01 to 1", share)
			},
		},
	}
}
