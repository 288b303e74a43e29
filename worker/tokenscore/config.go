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
	// DefaultHangTimeout is long enough for a child to use up its budget while it shares its
	// processor with sixteen other busy processes.
	DefaultHangTimeout  = 3 * time.Minute
	DefaultMemoryLimit  = 400 << 20
	DefaultStartTimeout = 30 * time.Second
	// minMemoryLimit is enough for a child to score one text of the largest size.
	minMemoryLimit = 64 << 20
)

// Config is the configuration of a Pool.
type Config struct {
	// Command is the program that runs a child, with its arguments. Required.
	Command []string
	// Children is how many child processes score at once. Default: one per CPU.
	Children int
	// Grammars is the directory that `make grammars` builds. Required.
	Grammars string
	// Budget is the processor time for one pull request. It counts all threads of the child,
	// so a second thread gains nothing. Default 10 s. Enforced on Linux.
	Budget time.Duration
	// HangTimeout is the wall-clock time for one pull request, however little processor time
	// it used. It ends hangs. Default 3 min.
	HangTimeout time.Duration
	// MemoryLimit is how much memory a child may use, in bytes; a child that needs more
	// dies. Default 400 MiB, at least 64 MiB; negative means no limit. Enforced on Linux.
	MemoryLimit int64
	// Sandbox is how strictly a child must be confined. Default sandbox.Auto. The command
	// must give the same mode to its ChildConfig.
	Sandbox sandbox.Mode
	// StartTimeout is how long a child may take to start. Default 30 s.
	StartTimeout time.Duration
	// Log receives the children's standard error, and their ends. Default slog.Default().
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

// GrammarsError says that the grammars are missing, or differ from what was built.
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
func checkGrammars(dir string) (*manifest.Manifest, *manifest.Files, error) {
	m, err := manifest.Read(dir)
	if err != nil {
		return nil, nil, &GrammarsError{Dir: dir, Err: err}
	}
	there, err := m.Files(dir)
	if err == nil {
		err = m.Verify(dir)
	}
	if err != nil {
		return nil, nil, &GrammarsError{Dir: dir, Err: err}
	}
	return m, there, nil
}

// ErrReplaced says that this process's program or grammars are not those with which it
// started: a newer version has been installed. It can score nothing any more, and a new
// process can.
var ErrReplaced = errors.New("tokenscore: the program or its grammars were replaced since this process started")
