package tokenscore

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
	"mirrorfleet/worker/tokenscore/sandbox"
)

// The defaults of Config.
const (
	DefaultBudget = 10 * time.Second // docs/rules/scoring.md#budget
	// DefaultHangTimeout lets a child that shares its processor with sixteen
	// other busy processes use up its budget.
	DefaultHangTimeout  = 3 * time.Minute
	DefaultMemoryLimit  = 400 << 20
	DefaultStartTimeout = 30 * time.Second
	// minMemoryLimit leaves a child room for one text of the largest size.
	minMemoryLimit = 64 << 20
)

// Config is what a Pool works with.
type Config struct {
	// Command starts a child: a program and its arguments. Required.
	Command []string
	// Children is how many processes score at once. Default: one per CPU.
	Children int
	// Grammars is the directory that `make grammars` builds. Required.
	Grammars string
	// Budget is the processor time that one pull request has: that of the whole
	// child, so that no thread works beside the clock. Default 10 s. Enforced on
	// Linux.
	Budget time.Duration
	// HangTimeout is the wall clock that one pull request has, whatever
	// processor time it got: a bound against hangs. Default 3 min.
	HangTimeout time.Duration
	// MemoryLimit is what a child may hold in bytes; over it, it dies. Default
	// 400 MiB, at least 64 MiB; negative means no limit. Enforced on Linux.
	MemoryLimit int64
	// Sandbox is how much must hold a child. Default sandbox.Auto. The command must
	// give its child's ChildConfig the same.
	Sandbox sandbox.Mode
	// StartTimeout is how long a child may take to start. Default 30 s.
	StartTimeout time.Duration
	// Log takes what children write on standard error, and their ends.
	// Default slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Children = cmp.Or(c.Children, runtime.NumCPU())
	c.Budget = cmp.Or(c.Budget, DefaultBudget)
	c.HangTimeout = cmp.Or(c.HangTimeout, DefaultHangTimeout)
	c.MemoryLimit = cmp.Or(c.MemoryLimit, DefaultMemoryLimit)
	c.StartTimeout = cmp.Or(c.StartTimeout, DefaultStartTimeout)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

func (c Config) validate() error {
	switch {
	case len(c.Command) == 0 || c.Command[0] == "":
		return errors.New("tokenscore: Command is empty: want the program that runs Serve")
	case c.Grammars == "":
		return errors.New("tokenscore: Grammars is empty: want the directory that `make grammars` builds")
	case c.Children < 1:
		return fmt.Errorf("tokenscore: Children %d: want at least 1", c.Children)
	case c.Budget < 0:
		return fmt.Errorf("tokenscore: Budget %v: want more than 0", c.Budget)
	case c.HangTimeout < 0:
		return fmt.Errorf("tokenscore: HangTimeout %v: want more than 0", c.HangTimeout)
	case c.StartTimeout < 0:
		return fmt.Errorf("tokenscore: StartTimeout %v: want more than 0", c.StartTimeout)
	case c.MemoryLimit > 0 && c.MemoryLimit < minMemoryLimit:
		return fmt.Errorf("tokenscore: MemoryLimit %d: want at least %d bytes, or a negative number for none",
			c.MemoryLimit, minMemoryLimit)
	}
	if err := c.Sandbox.Check(); err != nil {
		return fmt.Errorf("tokenscore: Sandbox %w", err)
	}
	return nil
}

// GrammarsError says that the grammars are not there or not as they were built.
type GrammarsError struct {
	Dir string
	Err error
}

func (e *GrammarsError) Error() string {
	return fmt.Sprintf("the grammars in %s cannot be used: %v (`make grammars` builds them; "+
		"--grammars or MIRRORFLEET_GRAMMARS names another directory)", e.Dir, e.Err)
}

func (e *GrammarsError) Unwrap() error { return e.Err }

// checkGrammars reads the manifest and checks every file that it names.
func checkGrammars(dir string) (*manifest.Manifest, error) {
	m, err := manifest.Read(dir)
	if err == nil {
		err = m.Verify(dir)
	}
	if err != nil {
		return nil, &GrammarsError{Dir: dir, Err: err}
	}
	return m, nil
}
