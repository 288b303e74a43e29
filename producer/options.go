package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/answer"
	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/scoring/tokens"
)

const (
	groupRound  = "The round"
	groupLocal  = "One machine"
	groupOthers = "Other producers, and crashes"
	groupOutput = "What is printed"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "run one scoring round to its end",
		Description: "Exit code 0 only for a complete round; 1 for a round that failed or lacks something, 2 for wrong usage or input.\n\n" +
			"Examples:\n" +
			"  producer run --local\n" +
			"  producer run --local --world git:../chi,../cobra --workers 4\n" +
			"  producer run --local --mirror https://mirror.gittensor.io \\\n" +
			"      --miners miners.json --registry master_repositories.json\n" +
			"  producer run --nats nats://nats:4222 --redis redis://redis:6379/0 \\\n" +
			"      --miners miners.json --registry master_repositories.json",
		Flags: slices.Concat(roundFlags(), localFlags(), otherFlags(), signingFlags(), command.Servers(), command.Streams(),
			command.Mirror(), command.Limit(), egressFlags(), command.Seeing(), command.Listen(), traceFlags()),
		Action: run,
	}
}

// otherFlags are for what happens between producers, and between a producer
// and its own former life.
func otherFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{
			Name: "takeover", Category: groupOthers, Sources: command.Env("takeover"), Value: 15 * time.Second,
			Usage: "how long a producer may be silent before one that stands by takes its round over", Validator: command.AtLeast(time.Second),
		},
		&cli.DurationFlag{
			Name: "reconcile", Category: groupOthers, Sources: command.Env("reconcile"), Value: 15 * time.Second,
			Usage: "how often what is outstanding is compared with what is queued", Validator: command.AtLeast(time.Second),
		},
	}
}

// egressFlags are for commands that say which egresses the fleet has.
func egressFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{
			Name: "egresses", Category: command.GroupLimit, Sources: command.Env("egresses"),
			DefaultText: "what is declared, if --egress is in it; else --egress alone",
			Usage:       "`NAMES` of all egresses of the fleet, separated by commas; a worker of any other egress hands its jobs back and exits",
		},
	}
}

// egressesOf is what the flags say of the fleet's egresses. The producer sends
// requests too: its own must be among them.
func egressesOf(c *cli.Command) (round.Setting, error) {
	own, names := c.String("egress"), nonEmpty(c.StringSlice("egresses"))
	if len(names) == 0 {
		return round.Setting{Names: []string{own}}, nil
	}
	for _, name := range names {
		if err := ratelimit.CheckEgress(name); err != nil {
			return round.Setting{}, command.Usage("--egresses: %w", err)
		}
	}
	if !slices.Contains(names, own) {
		return round.Setting{}, command.Usage("--egress %s is not among --egresses %s: this process sends requests, too; "+
			"add it, or give the one that this process sends from", own, strings.Join(names, ","))
	}
	return round.Setting{Names: names, Said: true}, nil
}

// only takes the flags of these names, in their order.
func only(flags []cli.Flag, names ...string) []cli.Flag {
	return slices.DeleteFunc(flags, func(f cli.Flag) bool { return !slices.Contains(names, f.Names()[0]) })
}

func roundFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "miners", Category: groupRound, Sources: command.Env("miners"),
			Usage: "`FILE` of the miners: a JSON list of uid, hotkey, github_id",
		},
		&cli.StringFlag{
			Name: "registry", Category: groupRound, Sources: command.Env("registry"),
			Usage: "`FILE` of the repositories, the validator's master_repositories.json",
		},
		&cli.StringFlag{
			Name: "weights", Category: groupRound, Sources: command.Env("weights"),
			Usage: "`DIR` with the validator's programming_languages.json and token_weights.json; without it the product's own",
		},
		&cli.StringFlag{
			Name: "as-of", Category: groupRound, Sources: command.Env("as-of"),
			Usage: "the round's `INSTANT` (RFC 3339); without it now",
		},
		command.Offers(&cli.StringSliceFlag{
			Name: "unloadable", Category: groupRound, Sources: command.Env("unloadable"), Value: []string{"csharp"},
			Usage: "`LANGUAGES` that give no nodes because the validator's installation cannot load them; \"\" for none",
		}, tokens.Languages()...),
		command.Offers(&cli.StringFlag{
			Name: "resume", Category: groupRound, Sources: command.Env("resume"),
			Usage: "resume `ROUND` instead of planning one; \"latest\" takes the last one planned",
		}, answer.Latest),
		&cli.BoolFlag{
			Name: "json", Category: groupRound, Sources: command.Env("json"),
			Usage: "print the outcome as JSON on standard output, everything else on standard error",
		},
	}
}

func localFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{
			Name: "local", Category: groupLocal, Sources: command.Env("local"),
			Usage: "start NATS and Redis inside this process and workers beside it",
		},
		&cli.StringFlag{
			Name: "state", Category: groupLocal, Sources: command.Env("state"), Value: defaultState,
			Usage: "`DIR` that keeps streams and logs between local rounds",
		},
		&cli.IntFlag{
			Name: "workers", Category: groupLocal, Sources: command.Env("workers"), Value: 2,
			Usage: "worker processes to start", Validator: func(n int) error {
				if n >= 1 && n <= 64 {
					return nil
				}
				return fmt.Errorf("%d workers: want 1 to 64", n)
			},
		},
		command.Offers(&cli.StringFlag{
			Name: "world", Category: groupLocal, Sources: command.Env("world"),
			Usage: "`WORLD` that the simulated mirror serves: demo, git:DIR[,DIR...] or case:FILE; demo unless --mirror is given",
		}, "demo"),
	}
}

// lookFlags are --json and where local rounds are, for commands that run none.
// local says what --local means there.
func lookFlags(local string) []cli.Flag {
	return append([]cli.Flag{
		&cli.BoolFlag{
			Name: "json", Category: groupOutput, Sources: command.Env("json"),
			Usage: "print JSON on standard output, as docs/api.md describes it",
		},
		&cli.BoolFlag{Name: "local", Category: groupLocal, Sources: command.Env("local"), Usage: local},
	}, only(localFlags(), "state")...)
}

// readLocal is --local of commands that read rounds.
const readLocal = "read the local rounds of --state, whether a producer runs there or none"

// options is what the flags say, checked together.
type options struct {
	local   bool
	state   string
	workers int
	world   string // "" when a mirror is given
	resume  string
	json    bool
	mirror  string
	files   inputFiles
}

// inputFiles are the paths of a round's inputs.
type inputFiles struct {
	miners, registry, weights, asOf string
	unloadable                      []string
}

func readOptions(c *cli.Command) (options, error) {
	o := commonOptions(c)
	o.resume = c.String("resume")
	o.files = inputFiles{
		miners: c.String("miners"), registry: c.String("registry"), weights: c.String("weights"), asOf: c.String("as-of"),
		unloadable: nonEmpty(c.StringSlice("unloadable")),
	}
	if err := o.check(c); err != nil {
		return o, err
	}
	switch {
	case o.world != "" && (o.files.miners != "" || o.files.registry != ""):
		return o, command.Usage("--world brings its own miners and registry: leave out --miners and --registry")
	case o.world == "" && o.resume == "" && (o.files.miners == "" || o.files.registry == ""):
		return o, command.Usage("--miners and --registry are required, or --local with a --world")
	}
	return o, nil
}

// commonOptions are those that run and replay have in common.
func commonOptions(c *cli.Command) options {
	o := options{
		local: c.Bool("local"), state: c.String("state"), workers: c.Int("workers"), world: c.String("world"),
		json: c.Bool("json"), mirror: c.String("mirror"),
	}
	if o.local && o.world == "" && !c.IsSet("mirror") {
		o.world = "demo"
	}
	return o
}

func (o options) check(c *cli.Command) error {
	servers := slices.ContainsFunc(slices.Concat([]string{"nats", "redis"}, command.NATSFiles(), command.RedisFiles()), c.IsSet)
	switch {
	case o.local && servers:
		return command.Usage("--local starts its own servers: leave out --nats, --redis and their files, or --local")
	case !o.local && (c.String("nats") == "" || c.String("redis") == ""):
		return command.Usage("--nats and --redis are required: give both, or --local for a round on this machine")
	case !o.local && o.world != "":
		return command.Usage("--world %s needs --local: the simulated mirror is started beside the round", o.world)
	case o.world != "" && c.IsSet("mirror"):
		return command.Usage("--world and --mirror exclude each other: one round has one mirror")
	}
	if _, err := egressesOf(c); err != nil {
		return err
	}
	u, err := url.Parse(o.mirror)
	switch {
	case err != nil: // it may hold a password: the error repeats it
		return command.Usage("--mirror cannot be read: want a URL such as %s", command.DefaultMirror)
	case u.User != nil:
		return command.Usage("--mirror %s://%s: leave out the credentials, the mirror takes none", u.Scheme, u.Host)
	case u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return command.Usage("--mirror %q: want a URL such as %s", afterAt(o.mirror), command.DefaultMirror)
	}
	return nil
}

// afterAt leaves out what may be credentials.
func afterAt(address string) string {
	if _, after, found := strings.Cut(address, "@"); found {
		return after
	}
	return address
}

// read reads the round's inputs; what is wrong with their content is the
// plan's to say.
func (f inputFiles) read(mirror string, now time.Time) (round.Inputs, error) {
	in := round.Inputs{Mirror: mirror, AsOf: now, Unloadable: f.unloadable}
	languages, tokens := tokens.DefaultWeights()
	in.Languages = round.File{Name: "the product's language weights", Data: languages}
	in.Tokens = round.File{Name: "the product's token weights", Data: tokens}
	for _, file := range []struct {
		flag, path string
		into       *round.File
	}{
		{"miners", f.miners, &in.Miners},
		{"registry", f.registry, &in.Registry},
		{"weights", f.weight("programming_languages.json"), &in.Languages},
		{"weights", f.weight("token_weights.json"), &in.Tokens},
	} {
		if file.path == "" {
			continue
		}
		data, _, err := miners.ReadFile(file.path)
		if err != nil {
			return round.Inputs{}, command.Usage("--%s: %w", file.flag, err)
		}
		*file.into = round.File{Name: file.path, Data: data}
	}
	if f.asOf != "" {
		asOf, err := time.Parse(time.RFC3339Nano, f.asOf)
		if err != nil {
			return round.Inputs{}, command.Usage("--as-of %q: want an instant such as 2026-06-18T18:54:00Z", f.asOf)
		}
		in.AsOf = asOf
	}
	return in, nil
}

func (f inputFiles) weight(name string) string {
	if f.weights == "" {
		return ""
	}
	return filepath.Join(f.weights, name)
}

func nonEmpty(list []string) []string {
	kept := []string{}
	for _, s := range list {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// refuse refuses settings that differ from those that a round was planned with.
func refuse(m job.Manifest, given round.Given) error {
	if differ := round.Differences(m, given); len(differ) > 0 {
		return command.Usage("round %s was planned with other settings, which do not change: %s", m.Round, strings.Join(differ, "; "))
	}
	return nil
}
