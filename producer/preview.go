package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/page"
	"mirrorfleet/producer/preview"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/session"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/gitdiff"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

const groupChange = "The change"

// A pull request has at most so many files in GitHub's list, from which the mirror takes
// them; and a worker takes no larger answer of the mirror's (mirror.Config.MaxFiles, which
// a producer does not set).
const (
	previewFiles = 3000
	previewBytes = 64 << 20
)

func previewCommand() *cli.Command {
	return &cli.Command{
		Name:  "preview",
		Usage: "say what a change would score, before it is a pull request",
		Description: "It reads the change from git and scores it as a round would score the pull request: files, token score, base\n" +
			"score, and the gates that the change decides. The rest is listed as not known. It needs no server and no\n" +
			"network; a worker beside it parses the files. What is not committed does not count.\n\n" +
			"Examples:\n" +
			"  producer preview --range origin/main..HEAD --repository owner/repo \\\n" +
			"      --registry master_repositories.json\n" +
			"  producer preview --git ../repo --range main..fix-42 --repository owner/repo \\\n" +
			"      --registry registry.json --label bug --issue standard --json",
		Flags: slices.Concat(previewFlags(), only(roundFlags(), "registry", "weights", "unloadable"), only(lookFlags(""), "json"),
			command.Observability()),
		Action: previewChange,
	}
}

func previewFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:      "git",
			Category:  groupChange,
			Sources:   command.Env("git"),
			Value:     ".",
			TakesFile: true,
			Usage:     "`DIR` of the git repository: a work tree, a folder in one, or a bare repository",
		},
		&cli.StringFlag{
			Name:     "range",
			Category: groupChange,
			Sources:  command.Env("range"),
			Usage:    "`BASE..HEAD`: what HEAD has got since it left BASE, as a pull request from HEAD to BASE shows it",
		},
		command.OffersFrom(&cli.StringFlag{
			Name:     "repository",
			Category: groupChange,
			Sources:  command.Env("repository"),
			Usage:    "the `OWNER/NAME` under which the registry has the repository",
		}, registered),
		&cli.StringSliceFlag{
			Name:     "label",
			Category: groupChange,
			Sources:  command.Env("label"),
			Usage:    "`NAMES` of labels, as if a maintainer had set them",
		},
		command.Offers(&cli.StringFlag{
			Name:     "issue",
			Category: groupChange,
			Sources:  command.Env("issue"),
			Usage:    "as if it had a valid linked issue `BY` a maintainer (maintainer) or by somebody else (standard)",
			Validator: func(by string) error {
				if by == "" || by == preview.StandardIssue || by == preview.MaintainerIssue {
					return nil
				}
				return fmt.Errorf("%q: want %s or %s", by, preview.StandardIssue, preview.MaintainerIssue)
			},
		}, preview.StandardIssue, preview.MaintainerIssue),
		&cli.StringFlag{
			Name:     "grammars",
			Category: groupChange,
			Sources:  command.Env("grammars"),
			Usage:    "`DIR` with the parser and its grammars; without it the one beside the worker",
		},
	}
}

// registered lists the repositories of the registry that a half-typed line names; none if
// it cannot be read: a shell's completion says nothing, and the command itself says why.
func registered(setting func(flag string) string) []string {
	data, _, err := miners.ReadFile(setting("registry"))
	if err != nil {
		return nil
	}
	registry, err := input.ParseRegistry(data)
	if err != nil {
		return nil
	}
	return namesIn(registry)
}

func namesIn(registry input.Registry) []string {
	names := make([]string, len(registry.Repositories))
	for i := range registry.Repositories {
		names[i] = registry.Repositories[i].Name
	}
	return names
}

// previewChange is `producer preview`.
func previewChange(ctx context.Context, c *cli.Command) error {
	for _, name := range []string{"range", "repository", "registry"} {
		if c.String(name) == "" {
			return command.Usage("--%s is required (%s --help shows the usage)", name, c.FullName())
		}
	}
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	unloadable := nonEmpty(c.StringSlice("unloadable"))
	files, err := session.InputFiles{
		Registry: c.String("registry"), Weights: c.String("weights"), Unloadable: unloadable,
	}.Read("", time.Time{}) // a preview has no mirror and no instant
	if err != nil {
		return err
	}
	in, err := previewed(c, files)
	if err != nil {
		return err
	}
	change, err := readChange(ctx, c, &in)
	if err != nil {
		return err
	}
	// A worker parses the files, in a child without rights: this process may have a producer's
	// credentials around it. A change without files needs none.
	if len(change.Files) > 0 {
		scored, err := preview.Score(ctx, session.Beside("worker"), c.String("grammars"), job.ChangeToScore{
			Files:      change.Files,
			Languages:  files.Languages.Data,
			Tokens:     files.Tokens.Data,
			Unloadable: unloadable,
		})
		if err != nil {
			return err
		}
		in.Figures, in.Lacks = &scored.Figures, scored.Lacks
		if len(scored.Sandbox) > 0 {
			log.LogAttrs(ctx, slog.LevelWarn, "the files were parsed without all parts of the sandbox", slog.Any("lacks", scored.Sandbox))
		}
	}
	return printAnswer(c, preview.Of(in), page.Preview)
}

// previewed reads what a preview takes besides the change. Unlike a round, it names only the
// first fault: it reads one repository of the registry, and not its miners.
func previewed(c *cli.Command, files round.Inputs) (preview.Input, error) {
	registry, err := input.ParseRegistry(files.Registry.Data)
	if err != nil {
		return preview.Input{}, command.Usage("%s: %w", files.Registry.Name, err)
	}
	weights, err := tokens.ParseWeights(files.Languages.Data, files.Tokens.Data)
	if err != nil {
		return preview.Input{}, command.Usage("--weights: %w", err)
	}
	if weights, err = weights.Without(files.Unloadable); err != nil {
		return preview.Input{}, command.Usage("--unloadable: %w", err)
	}
	repository, found := registry.Repository(c.String("repository"))
	if !found {
		return preview.Input{}, unregistered(c.String("repository"), files.Registry.Name, namesIn(registry))
	}
	return preview.Input{
		Repository: repository,
		Weights:    weights,
		Assumed:    preview.Assumed{Labels: nonEmpty(c.StringSlice("label")), Issue: c.String("issue")},
	}, nil
}

// unregistered says that a round drops what is in no repository of the registry
// (docs/rules/scoring.md#loading), and which ones there are.
func unregistered(name, file string, names []string) error {
	near := command.Near(name, names)
	switch {
	case len(near) > 0:
		return command.Usage("--repository %q is not in %s, so a round drops its pull requests; near it: %s",
			name, file, strings.Join(near, ", "))
	case len(names) == 0:
		return command.Usage("--repository %q: %s has no repository", name, file)
	}
	return command.Usage("--repository %q is not in %s, so a round drops its pull requests; it has %s", name, file, plural.Some(names, 10))
}

// readChange reads the change from git, and notes in the input where it lies.
func readChange(ctx context.Context, c *cli.Command, in *preview.Input) (change gitdiff.Change, err error) {
	defer func() {
		_, mendable := errors.AsType[*gitdiff.Error](err)
		switch {
		case ctx.Err() != nil:
			err = command.ErrInterrupted
		case mendable:
			err = command.UsageError{Err: err}
		}
	}()
	repository, err := gitdiff.Open(ctx, c.String("git"))
	if err != nil {
		return change, fmt.Errorf("--git: %w", err)
	}
	defer func() { err = errors.Join(err, repository.Close()) }()
	if in.Range, err = repository.Range(ctx, c.String("range")); err != nil {
		return change, fmt.Errorf("--range: %w", err)
	}
	change, err = repository.Change(ctx, in.Range.MergeBase, in.Range.Head, gitdiff.Bounds{Files: previewFiles, Bytes: previewBytes})
	in.Foreign = change.Foreign
	return change, err
}
