package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/producer/page"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/session"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring/input"
)

const groupAssumed = "Assumptions where nothing was measured"

// What a worker has that no flag sets: the mirror client's connections, and the
// pull requests that a job fetches at once. They repeat the defaults of packages
// mirror and worker/evaluate, which a producer does not import.
const (
	workerConnections = 8
	jobFiles          = 8
)

func planCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.IntFlag{
			Name:      "pulls-per-miner",
			Category:  groupAssumed,
			Sources:   command.Env("pulls-per-miner"),
			Value:     assumedPulls,
			Usage:     "pull requests of a miner that the last round did not have; default: the mean of that round",
			Validator: command.AtLeast(0),
		},
		&cli.DurationFlag{
			Name:      "latency",
			Category:  groupAssumed,
			Sources:   command.Env("latency"),
			Value:     300 * time.Millisecond,
			Usage:     "how long the mirror takes to answer a request",
			Validator: command.AtLeast(time.Duration(0)),
		},
		&cli.DurationFlag{
			Name:      "score-cpu",
			Category:  groupAssumed,
			Sources:   command.Env("score-cpu"),
			Value:     50 * time.Millisecond,
			Usage:     "processor time of one pull request's token scoring",
			Validator: command.AtLeast(time.Duration(0)),
		},
		&cli.IntFlag{
			Name:      "slots",
			Category:  groupAssumed,
			Sources:   command.Env("slots"),
			Value:     4,
			Usage:     "jobs that a worker evaluates at once",
			Validator: command.AtLeast(1),
		},
		&cli.IntFlag{
			Name:      "children",
			Category:  groupAssumed,
			Sources:   command.Env("children"),
			Value:     2,
			Usage:     "token-scoring processes of a worker",
			Validator: command.AtLeast(1),
		},
	}
	flags = slices.Concat(flags, only(roundFlags(), "miners", "registry"), lookFlags(readLocal),
		only(slices.Concat(localFlags(), command.Servers()), append(command.NATSFiles(), "workers", "nats", "connect-timeout")...))
	return &cli.Command{
		Name:  "plan",
		Usage: "say how long a round takes: requests, time at the limit, workers, a second egress",
		Description: "Sizes come from the last round that was concluded, if --nats or --local leads to one. The rest is assumed.\n" +
			"Every number says where it comes from. Nothing is planned or published, and the mirror gets no request.\n\n" +
			"Examples:\n" +
			"  producer plan --nats nats://nats:4222\n" +
			"  producer plan --miners miners.json --registry master_repositories.json\n" +
			"  producer plan --local --limit-requests 40 --json",
		Flags:  slices.Concat(flags, command.Limit(), command.Observability()),
		Action: plan,
	}
}

// plan is `producer plan`. It reads everything first and decides in estimate.Of, which is
// pure. The mirror's address is none of its inputs, because nothing is sent.
func plan(ctx context.Context, c *cli.Command) (err error) {
	if c.Bool("local") && c.IsSet("nats") {
		return command.Usage("--local reads a state directory of this machine: leave out --nats, or --local")
	}
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	in, err := planned(c)
	if err != nil {
		return err
	}
	// No mirror and no instant: take reads only the miners and the registry of these inputs.
	inputs, err := (session.InputFiles{Miners: c.String("miners"), Registry: c.String("registry")}).Read("", time.Time{})
	if err != nil {
		return err
	}
	m, err := lastMeasured(ctx, c, log)
	if err != nil {
		return err
	}
	if err := take(&in, inputs, m, c.String("nats") != "" || c.Bool("local")); err != nil {
		return err
	}
	e, err := estimate.Of(in)
	if err != nil {
		return command.UsageError{Err: err}
	}
	return printAnswer(c, e, page.Plan)
}

// planned makes an estimate's input from the flags alone. PullsPerMiner is -1 where the
// flag is not set: the mean of the last round takes its place, if there is one.
func planned(c *cli.Command) (estimate.Input, error) {
	cfg := fleet.FromFlags(c, "producer-plan", slog.Default()).Limit
	if c.Bool("local") {
		cfg.Horizon = localHorizon(c, c.Int("workers"))
	}
	pace, err := cfg.Effective()
	if err != nil {
		return estimate.Input{}, command.Usage("the limit: %w", err)
	}
	in := estimate.Input{
		PullsPerMiner: -1,
		Pace: estimate.Pace{
			Interval: pace.Interval, Processes: pace.Processes,
			From: fmt.Sprintf("the --limit flags: %s in %s, by the formula of docs/limit.md", plural.Of(pace.Limit, "request"), pace.Window),
		},
		Worker: estimate.Worker{
			Slots:       c.Int("slots"),
			Children:    c.Int("children"),
			Connections: workerConnections,
			Files:       jobFiles,
			Latency:     c.Duration("latency"),
			ScoreCPU:    c.Duration("score-cpu"),
			From: fmt.Sprintf("assumed: %s, %s, %s for an answer, %s of processor time for a pull request",
				plural.Of(c.Int("slots"), "slot"), plural.Forms(c.Int("children"), "child", "children"),
				c.Duration("latency"), c.Duration("score-cpu")),
		},
	}
	if c.IsSet("pulls-per-miner") {
		in.PullsPerMiner = c.Int("pulls-per-miner")
	}
	return in, nil
}

// assumedPulls is --pulls-per-miner's default, for when there is no mean.
const assumedPulls = 10

// take fills in the miners and their known sizes: files that are given replace the
// miners or the registry of the last round, m. m is nil if there is none; asked says
// that NATS was asked for one, which decides what the error tells the caller.
// One look-up of maintainers is counted for each repository with a cut
// (docs/rules/scoring.md#rewards).
func take(in *estimate.Input, inputs round.Inputs, m *view.Measured, asked bool) error {
	if m == nil && (inputs.Miners.Data == nil || inputs.Registry.Data == nil) {
		without := "without --nats or --local there is no last round to take them from"
		if asked {
			without = "no round is concluded yet to take them from"
		}
		return command.Usage("--miners and --registry are required: %s", without)
	}
	if in.PullsPerMiner < 0 && (m == nil || len(m.Sizes) == 0) { // there is no mean
		in.PullsPerMiner = assumedPulls
	}
	var manifest job.Manifest
	if m != nil {
		manifest = m.Manifest
		in.Round = m.Manifest.Round
		in.Last = m.Last()
		if manifest.AllIssues != nil {
			in.AllIssues = 1
		}
		in.MinersFrom, in.MaintainersFrom = "those of round "+in.Round, "the registry of round "+in.Round
	}
	if inputs.Miners.Data != nil {
		miners, err := input.ParseMiners(inputs.Miners.Data)
		if err != nil {
			return command.Usage("%s: %w", inputs.Miners.Name, err)
		}
		manifest.Miners, in.MinersFrom = miners, inputs.Miners.Name
	}
	if inputs.Registry.Data != nil {
		manifest.Registry, in.MaintainersFrom = inputs.Registry.Data, inputs.Registry.Name
	}
	registry, err := input.ParseRegistry(manifest.Registry)
	if err != nil {
		return command.Usage("%s: %w", in.MaintainersFrom, err)
	}
	// docs/rules/scoring.md#rewards: a repository without a cut has no maintainers to look up.
	for _, repository := range registry.Repositories {
		if repository.MaintainerCut != 0 {
			in.Maintainers++
		}
	}
	in.MaintainersFrom = fmt.Sprintf("%d look-ups of maintainers by %s", in.Maintainers, in.MaintainersFrom)
	in.Listed = len(manifest.Miners)
	// m may be nil here: Size then knows no miner, and estimate.Of assumes each.
	for _, j := range manifest.Jobs() {
		in.Miners = append(in.Miners, estimate.Miner{UID: j.UID, IssuesOnly: j.IssuesOnly, Size: m.Size(j)})
	}
	return nil
}

// lastMeasured reads the last concluded round; nil if NATS is not given, or has none.
func lastMeasured(ctx context.Context, c *cli.Command, log *slog.Logger) (_ *view.Measured, err error) {
	if c.String("nats") == "" && !c.Bool("local") {
		return nil, nil //nolint:nilnil // as documented
	}
	bus, closeBus, err := openBus(ctx, c, log)
	if errors.Is(err, jobstream.ErrUndeclared) { // a new installation asks before its first round
		return nil, nil //nolint:nilnil // as documented
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeBus()) }()
	last, err := view.LastConcluded(ctx, bus)
	if err != nil {
		return nil, err
	}
	if last == "" {
		return nil, nil //nolint:nilnil // as documented
	}
	return view.Measure(ctx, bus, last)
}
