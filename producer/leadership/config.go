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

// Config is what a producer leads with; nothing in it is closed here.
type Config struct {
	Bus *jobstream.Bus
	// Name is this producer's in the sight of others. Default: host, process
	// and a word of its own (NewName).
	Name string
	// Takeover is how long a round stays with a producer that is silent before
	// another takes it over, at least MinTakeover. Default: 15 s.
	Takeover time.Duration
	// SoleProducer says that no other producer can reach the streams: a round is
	// taken at once, whoever died over it.
	SoleProducer bool
	// Predecessor is the Name of a producer that is known to be gone: what it holds
	// is taken at once. Default: none.
	Predecessor string
	// StandingBy is called with the name of whoever leads, at each look while this
	// producer stands by; may be nil.
	StandingBy func(leader string)
	// Log default: slog.Default().
	Log *slog.Logger
}

// DefaultTakeover is how long a silent producer keeps what it holds, unless said.
const DefaultTakeover = 15 * time.Second

// MinTakeover is the least time after which a silent producer is replaced.
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

// NewName is a name for this producer, which tells apart those of several hosts
// and several on one.
func NewName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "producer"
	}
	return fmt.Sprintf("%s-%d-%.6s", host, os.Getpid(), nuid.New().Next()[16:])
}
