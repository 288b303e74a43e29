package preview

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
)

// endGrace is how long the output of a worker that was killed is waited for: its child
// holds that open until it ends, too.
const endGrace = 5 * time.Second

// Score lets a worker score the files. It is a command because a producer must not load
// parsers of strangers' files into its own process. grammars is --grammars; "" for the
// worker's default.
func Score(ctx context.Context, worker, grammars string, change job.ChangeToScore) (job.ChangeScored, error) {
	args := []string{"files"}
	if grammars != "" {
		args = append(args, "--grammars", grammars)
	}
	asked, err := json.Marshal(change)
	if err != nil {
		return job.ChangeScored{}, fmt.Errorf("encoding the change: %w", err)
	}
	cmd := exec.CommandContext(ctx, worker, args...)
	cmd.WaitDelay = endGrace
	var stdout, stderr bytes.Buffer
	cmd.Stdin = bytes.NewReader(asked)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	ended, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return job.ChangeScored{}, command.ErrInterrupted
	case err != nil && !exited:
		return job.ChangeScored{}, command.Usage("the files are scored by %s, which cannot be started (%w): install worker beside producer",
			worker, err)
	case exited && ended.ExitCode() == command.ExitUsage:
		return job.ChangeScored{}, command.Usage("%s", lastLine(stderr.String()))
	case err != nil:
		return job.ChangeScored{}, fmt.Errorf("%s files: %w: %s", worker, err, lastLine(stderr.String()))
	}
	var scored job.ChangeScored
	if err := json.Unmarshal(stdout.Bytes(), &scored); err != nil {
		return scored, fmt.Errorf("reading what %s files says: %w", worker, err)
	}
	return scored, nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimPrefix(lines[len(lines)-1], "worker: ")
}
