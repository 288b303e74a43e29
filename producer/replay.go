package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/answer"
	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/secret"
)

const groupReplay = "What is replayed"

func replayCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{
			Name: "uid", Category: groupReplay, Sources: command.Env("uid"),
			Usage: "only these miners: `N,...`, each of which `producer failed` lists",
		},
		command.Offers(&cli.StringFlag{
			Name: "class", Category: groupReplay, Sources: command.Env("class"),
			Usage: "the dead letters of a `CLASS` (transient, permanent, poison, overdue, damaged), or identity",
		}, classNames()...),
		&cli.BoolFlag{
			Name: "degraded", Category: groupReplay, Sources: command.Env("degraded"),
			Usage: "the degraded miners; with --class those too",
		},
		&cli.BoolFlag{
			Name: "dry-run", Category: groupReplay, Sources: command.Env("dry-run"),
			Usage: "say what would be replayed, and do nothing",
		},
	}
	return &cli.Command{
		Name:  "replay",
		Usage: "run the failed miners of a concluded round again, and conclude it anew",
		Description: "ROUND is a round's name, or \"latest\" for the last one that was concluded. Without --uid, --class and --degraded\n" +
			"all dead and degraded miners are run again, with the round's own as_of, registry and weights. Look-ups\n" +
			"of maintainers that failed are made again. With --tokens, GitHub is asked again about the miners of unknown\n" +
			"identity (class identity); the file is needed because tokens are never stored. The new outcome is a revision\n" +
			"beside the former ones. Exit codes are those of run.\n\n" +
			"With --local, a round that ran against another mirror than the demo's needs the same --mirror (or --world) again.\n\n" +
			"Examples:\n" +
			"  producer replay latest --local\n" +
			"  producer replay latest --local --dry-run\n" +
			"  producer replay latest --local --tokens miner_pats.json\n" +
			"  producer replay latest --local --mirror https://mirror.gittensor.io\n" +
			"  producer replay 20260618t185400z-0a1b2c --uid 5,17 \\\n" +
			"      --nats nats://nats:4222 --redis redis://redis:6379/0",
		Flags: slices.Concat(flags, only(serveFlags(), "tokens", "github"), only(roundFlags(), "json"), localFlags(),
			otherFlags(), signingFlags(), command.Servers(), command.Streams(), command.Mirror(),
			command.Limit(), egressFlags(), command.Seeing(), command.Listen(), traceFlags()),
		Arguments: []cli.Argument{&cli.StringArg{Name: "round", UsageText: "ROUND"}},
		Action:    replay,
	}
}

func classNames() []string {
	var names []string
	for _, class := range outcome.Classes() {
		names = append(names, string(class))
	}
	return names
}

// replay is `producer replay`.
func replay(ctx context.Context, c *cli.Command) error {
	name := c.StringArg("round")
	if name == "" {
		return command.Usage("which round? Give its name, or \"latest\" (%s --help shows the usage)", c.FullName())
	}
	selection, err := readSelection(c)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error { return dryRun(ctx, c, bus, name, selection) })
	}
	o := commonOptions(c)
	o.resume = name
	if err := o.check(c); err != nil {
		return err
	}
	return conduct(ctx, c, o, func(s *session, ctx context.Context) (outcome.Result, error) {
		if err := s.readTokens(c.String("tokens"), c.String("github")); err != nil {
			return outcome.Result{}, err
		}
		return s.replay(ctx, selection)
	})
}

func readSelection(c *cli.Command) (outcome.Selection, error) {
	s := outcome.Selection{Class: job.Class(c.String("class")), Degraded: c.Bool("degraded")}
	if text := c.String("uid"); text != "" {
		for one := range strings.SplitSeq(text, ",") {
			uid, err := strconv.Atoi(strings.TrimSpace(one))
			if err != nil || uid < 0 {
				return s, command.Usage("--uid %q: want whole numbers from 0, with commas", text)
			}
			s.UIDs = append(s.UIDs, uid)
		}
	}
	return s, nil
}

func dryRun(ctx context.Context, c *cli.Command, bus *jobstream.Bus, name string, s outcome.Selection) error {
	at, err := answer.Locate(ctx, bus, name, 0)
	if err != nil {
		return notThere(err)
	}
	would, err := answer.ReplayOf(ctx, bus, at, s, true)
	if err != nil {
		return usageOfReplay(err)
	}
	return printAnswer(c, wouldReplay{would})
}

// wouldReplay is what `producer replay --dry-run` prints.
type wouldReplay struct{ answer.Replay }

func (r wouldReplay) render(w io.Writer) error {
	return writeFailures(w, fmt.Sprintf("Round %s: %d would be replayed", r.Round, len(r.Chosen)), r.Chosen, r.Already)
}

// replay runs a replay with all that its jobs need.
func (s *session) replay(ctx context.Context, selection outcome.Selection) (outcome.Result, error) {
	if err := s.openState(); err != nil {
		return outcome.Result{}, err
	}
	if err := s.connect(ctx); err != nil {
		return outcome.Result{}, err
	}
	at, err := answer.Locate(ctx, s.wire.Bus, s.options.resume, 0)
	if err != nil {
		return outcome.Result{}, notThere(err)
	}
	name := at.Round
	s.options.resume = name
	if s.source != nil {
		s.source.Bus = s.wire.Bus
	}
	if nothing, err := s.nothingToReplay(ctx, name, selection); err != nil || nothing {
		return s.before, err
	}
	m, err := s.toResume(ctx)
	if err == nil && s.options.world != "" {
		m, err = s.simulate(ctx, m)
	}
	if err != nil {
		return outcome.Result{}, err
	}
	s.planned, s.stored, s.replays = name, true, true
	return s.serve(ctx, m, func(ctx context.Context, runner *round.Runner) (outcome.Result, error) {
		result, did, err := runner.Replay(ctx, name, selection)
		if err == nil && len(did.Meanwhile) > 0 {
			fmt.Fprintf(os.Stderr, "another replay was first with %s\n", numbers(did.Meanwhile))
		}
		if err == nil && len(did.Unidentified) > 0 {
			fmt.Fprintf(os.Stderr, "GitHub has not said whose account the token is, of %s%s\n", numbers(did.Unidentified), s.askAgain())
		}
		return result, usageOfReplay(err)
	})
}

// readTokens makes GitHub be asked again, by the tokens of a file.
func (s *session) readTokens(file, github string) error {
	if file == "" {
		return nil
	}
	if exposed, is := errors.AsType[*secret.ExposedError](secret.Check(file)); is { // what else is wrong is said when it is read
		return command.Usage("--tokens: %w", exposed)
	}
	client, err := miners.NewGitHub(miners.Config{BaseURL: github, Log: s.log})
	if err != nil {
		return command.Usage("--github: %w", err)
	}
	s.onClose(func() error { client.Close(); return nil })
	s.source = &miners.Source{Tokens: file, GitHub: client, Log: s.log}
	return nil
}

// askAgain says what it takes to ask GitHub again.
func (s *session) askAgain() string {
	if s.source != nil {
		return ""
	}
	return ": with --tokens it is asked again"
}

// nothingToReplay reads what there is before anything is started: what cannot
// be replayed is refused, and for nothing at all nothing is started.
func (s *session) nothingToReplay(ctx context.Context, name string, selection outcome.Selection) (bool, error) {
	chosen, already, err := round.Chosen(ctx, s.wire.Bus, name, selection)
	if err != nil {
		return false, usageOfReplay(err)
	}
	first, err := s.unfinished(ctx, name)
	if err != nil {
		return false, err
	}
	if len(already) > 0 {
		fmt.Fprintf(os.Stderr, "already being replayed: %s\n", numbers(already))
	}
	if first || len(already)+len(s.before.FailedLookUps) > 0 {
		return false, nil
	}
	if len(chosen) == 0 {
		fmt.Fprintf(os.Stderr, "round %s lacks nothing: revision %d stands\n", name, s.before.Revision)
		return true, nil
	}
	other := func(f outcome.Failed) bool { return f.Class != outcome.ClassIdentity }
	if s.source == nil && !slices.ContainsFunc(chosen, other) {
		uids := make([]int, len(chosen))
		for i, f := range chosen {
			uids[i] = f.UID
		}
		return false, command.Usage("of %s only the identity is unknown: give --tokens FILE, so that GitHub is asked again", numbers(uids))
	}
	return false, nil
}

// unfinished reads the outcome that a replay starts from, and says whether there is
// something to be ended before: an outcome that is gone or cannot be read, or a replay
// that was broken off.
func (s *session) unfinished(ctx context.Context, name string) (bool, error) {
	latest, err := outcome.Latest(ctx, s.wire.Bus, name)
	if jobstream.Damaged(err) || err == nil && latest.Revision == 0 {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	s.before = latest
	_, err = s.wire.Bus.Rounds.Replay(ctx, name, latest.Revision)
	if err != nil && !errors.Is(err, jobstream.ErrNotFound) {
		return false, fmt.Errorf("reading the replays of round %s: %w", name, err)
	}
	return err == nil, nil
}

// openState makes the directory of a local fleet. One whose rounds are resumed or
// replayed must be there.
func (s *session) openState() error {
	if !s.options.local {
		return nil
	}
	if s.options.resume != "" {
		if err := hasRounds(s.options.state); err != nil {
			return err
		}
	}
	return makeState(s.options.state)
}

// usageOfReplay makes what was asked for and is not there wrong usage.
func usageOfReplay(err error) error {
	if errors.Is(err, outcome.ErrSelection) || errors.Is(err, round.ErrRunning) || errors.Is(err, miners.ErrUnusable) {
		return command.UsageError{Err: err}
	}
	return err
}

// numbers names miners in a sentence.
func numbers(uids []int) string {
	names := make([]string, len(uids))
	for i, uid := range uids {
		names[i] = strconv.Itoa(uid)
	}
	noun := "miners "
	if len(uids) == 1 {
		noun = "miner "
	}
	return noun + strings.Join(names, ", ")
}
