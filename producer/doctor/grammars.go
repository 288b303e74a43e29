package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
)

// exitUsage is the exit code of `worker check` when the grammars cannot be used, or when
// the kernel lacks what the sandbox requires.
const exitUsage = 2

// checked is the part of the JSON of `worker check` that is read here.
type checked struct {
	Languages int `json:"languages"`
	// Sandbox lists what a child lacks on this machine. With exitUsage, that is why no
	// file was scored.
	Sandbox struct {
		Lacks []string `json:"lacks"`
	} `json:"sandbox"`
}

// Grammars runs `worker check`, which scores a file in each language and compares the
// scores. It is a command because a producer must not load parsers of strangers' files into
// its own process. dir is --grammars; "" for the worker's default.
func Grammars(worker, dir string) Check {
	return Check{"grammars", func(ctx context.Context) []Finding {
		args := []string{"check"}
		if dir != "" {
			args = append(args, "--grammars", dir)
		}
		cmd := exec.CommandContext(ctx, worker, args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var ended *exec.ExitError
		said := lastLine(stderr.String())
		var found checked
		unread := json.Unmarshal(stdout.Bytes(), &found)
		switch {
		case err != nil && !errors.As(err, &ended):
			return []Finding{warn(WorkerMissing, "not checked: no worker beside this producer (%v)", err)}
		case err != nil && ctx.Err() != nil:
			return []Finding{fault(GrammarsUnusable, "the check did not end: %v", context.Cause(ctx))}
		case err != nil && ended.ExitCode() == exitUsage && len(found.Sandbox.Lacks) > 0:
			return []Finding{fault(SandboxLacking, "%s", said)}
		case err != nil && ended.ExitCode() == exitUsage:
			return []Finding{fault(GrammarsUnusable, "%s", said)}
		case err != nil: // exit code 1: the grammars work, and a score is not the validator's
			return []Finding{fault(GrammarsFigures, "%s", said)}
		case unread != nil || found.Languages == 0:
			return []Finding{fault(GrammarsUnusable, "%s check said %q", worker, stdout.String())}
		}
		return []Finding{fine("a child scored a file in each of %d languages as the validator does", found.Languages)}
	}}
}

// lastLine is what a command says at its end, where its error is. Earlier lines are its log.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimPrefix(lines[len(lines)-1], "worker: ")
}
