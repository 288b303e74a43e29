package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/worker/tokenscore"
	"mirrorfleet/worker/tokenscore/sandbox"
)

// checkCommand is for operators who install a worker, and for `producer doctor`.
func checkCommand() *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "score a file in each language and compare with the validator's scores",
		Description: "It needs no server and no mirror. It prints one JSON object: the languages, the wrong figures, and the parts of the\n" +
			"sandbox that this kernel has and lacks.\n" +
			"Exit code 0 when every figure is the validator's, 1 when one is not, 2 when the grammars cannot be used or\n" +
			"the kernel lacks what --sandbox required asks for.\n\n" +
			"Examples:\n" +
			"  worker check\n" +
			"  worker check --sandbox required\n" +
			"  worker check --grammars /usr/lib/mirrorfleet/grammars",
		Flags:  append(parserFlags(), command.Observability()...),
		Action: check,
	}
}

// errWrongFigures says that this installation would score otherwise than the
// validator.
var errWrongFigures = errors.New("figures are not the validator's")

// checked is what `worker check` prints.
type checked struct {
	Languages int                `json:"languages"`
	Wrong     []tokenscore.Wrong `json:"wrong"`
	Sandbox   held               `json:"sandbox"`
}

// held is what holds a token-scoring child, and what does not.
type held struct {
	sandbox.State

	Lacks []string `json:"lacks"`
}

// check is `worker check`.
func check(ctx context.Context, c *cli.Command) (err error) {
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	cfg, err := scorerConfig(c)
	if err != nil {
		return err
	}
	cfg.Children, cfg.Log = 1, log
	pool, err := tokenscore.New(ctx, cfg)
	if missing, is := errors.AsType[*sandbox.MissingError](err); is { // nothing was scored
		err = errors.Join(err, checkedIn(missing.Held).tell(os.Stdout))
	}
	if err != nil {
		return command.UsageError{Err: err}
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	found := checkedIn(pool.Sandbox())
	languages, wrong, err := pool.Check(ctx)
	if err != nil {
		return err
	}
	found.Languages, found.Wrong = languages, append(found.Wrong, wrong...)
	return found.tell(os.Stdout)
}

// checkedIn looks at the sandbox, before anything is scored in it.
func checkedIn(state sandbox.State) checked {
	return checked{Wrong: []tokenscore.Wrong{}, Sandbox: held{state, state.Lacks()}}
}

// tell prints what was found, and fails if something is wrong.
func (f checked) tell(w io.Writer) error {
	if err := json.NewEncoder(w).Encode(f); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	if len(f.Wrong) > 0 {
		first := f.Wrong[0]
		return fmt.Errorf("%w: %d of %d languages, the first %s: got %s, want %s",
			errWrongFigures, len(f.Wrong), f.Languages, first.Language, first.Got, first.Want)
	}
	return nil
}
