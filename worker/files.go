package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore"
)

// filesCommand scores the files of one change, as a job does those of a pull request. The
// producer starts it for a preview: it must not load parsers of strangers' files itself.
func filesCommand() *cli.Command {
	return &cli.Command{
		Name:   "files",
		Usage:  "score the files of one change: JSON on standard input and output",
		Hidden: true,
		Flags:  parserFlags(),
		Action: func(ctx context.Context, c *cli.Command) error { return scoreChange(ctx, c, os.Stdin, os.Stdout) },
	}
}

// scoreChange is `worker files`.
func scoreChange(ctx context.Context, c *cli.Command, in io.Reader, out io.Writer) (err error) {
	var change job.ChangeToScore
	if err := json.NewDecoder(in).Decode(&change); err != nil {
		return fmt.Errorf("reading the change: %w", err)
	}
	weights, err := tokens.ParseWeights(change.Languages, change.Tokens)
	if err == nil {
		weights, err = weights.Without(change.Unloadable)
	}
	if err != nil {
		return command.UsageError{Err: err}
	}
	cfg, err := scorerConfig(c)
	if err != nil {
		return err
	}
	cfg.Children, cfg.Log = 1, slog.New(slog.DiscardHandler) // the answer has everything that matters
	pool, err := tokenscore.New(ctx, cfg)
	if err != nil {
		return command.UsageError{Err: err}
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	// No author is known, and no miner's budget is shared: the change has the budget that a
	// round gives one pull request.
	scored, err := pool.Score(ctx, "", weights, change.Files, nil)
	if err != nil {
		return fmt.Errorf("scoring the files: %w", err)
	}
	answer := job.ChangeScored{Figures: scored.Figures, Sandbox: pool.Sandbox().Lacks()}
	if scored.Lacks != nil {
		answer.Lacks = scored.Lacks.Error()
	}
	if err := json.NewEncoder(out).Encode(answer); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
