package leadership

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nuid"

	"mirrorfleet/shared/jobstream"
)

// Config is what a producer leads with. Package leadership closes nothing of it.
type Config struct {
	// Bus is required.
	Bus *jobstream.Bus
	// Name identifies this producer to others. Default: NewName().
	Name string
	// Takeover is how long a producer may be silent before another takes over what it
	// leads, at least MinTakeover. Each leader's own value counts for it: it is stored with
	// its signs of life. Default: 15 s.
	Takeover time.Duration
	// SoleProducer says that no other producer can reach the streams: a round is taken over
	// at once, even if its last leader died without a release.
	SoleProducer bool
	// Predecessor is the Name of a producer that is known to be gone. What it leads is taken
	// over at once. Default: none.
	Predecessor string
	// Quiet says that this producer only waits for the leader's work. It then does not log that it
	// stands by.
	Quiet bool
	// StandingBy is called with the leader's name at each look while this producer stands
	// by; may be nil.
	StandingBy func(leader string)
	// Log default: slog.Default().
	Log *slog.Logger
}

// DefaultTakeover is how long a silent producer keeps what it leads, by default.
const DefaultTakeover = 15 * time.Second

// MinTakeover is the shortest time after which a silent producer is replaced: one
// millisecond between two signs of life.
const MinTakeover = beatEvery * time.Millisecond

func (c Config) withDefaults() Config {
	c.Takeover, c.Log = cmp.Or(c.Takeover, DefaultTakeover), cmp.Or(c.Log, slog.Default())
	if c.Name == "" {
		c.Name = NewName()
	}
	if c.StandingBy == nil {
		c.StandingBy = func(string) {}
	}
	return c
}

func (c Config) validate() error {
	if c.Bus == nil {
		return errors.New("leadership: Bus is required")
	}
	if c.Takeover < MinTakeover {
		return fmt.Errorf("leadership: Takeover is %s, want at least %s", c.Takeover, MinTakeover)
	}
	return nil
}

// NewName makes a name for this producer: host, process id and random letters. It is unique
// even in containers, where the process id is often 1.
func NewName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "producer"
	}
	return fmt.Sprintf("%s-%d-%.6s", host, os.Getpid(), nuid.New().Next()[16:])
}
