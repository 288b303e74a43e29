package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"mirrorfleet/shared/mirror"
)

// The defaults of [Config].
const (
	// DefaultWait leaves five seconds for the mirror's answer: a validator gives up after
	// thirty.
	DefaultWait = 25 * time.Second
	// DefaultWaiting is slightly fewer than the default limit serves within DefaultWait.
	DefaultWaiting = 100
	// DefaultPatience is less than half of DefaultWait: if clients that do not read have all
	// connections, those that wait still get theirs.
	DefaultPatience = 10 * time.Second
	// DefaultMaxRequest is enough for windows of 200 repositories, the most that the mirror
	// accepts: with the longest names they need 36 kB.
	DefaultMaxRequest = 64 << 10
	// DefaultMaxAnswer is several times the largest files answer.
	DefaultMaxAnswer = 256 << 20
)

// Config describes a gateway.
type Config struct {
	// Client sends the requests to the mirror. Required; its creator closes it.
	Client *mirror.Client
	// Mirror is the URL with which the client was created. Required.
	Mirror string
	// Wait is how long a request waits for permits at most. Default DefaultWait.
	Wait time.Duration
	// Waiting is how many requests may wait for their first permit at once. Default
	// DefaultWaiting.
	Waiting int
	// Patience is how long an answer waits for its client to read. Each 256 KiB that the client
	// has read give back a second of it. Default DefaultPatience.
	Patience time.Duration
	// MaxRequest and MaxAnswer bound bodies, in bytes. A request's body is held in memory;
	// an answer's is passed on while it arrives. Defaults DefaultMaxRequest and
	// DefaultMaxAnswer.
	MaxRequest, MaxAnswer int64
	// Log receives the requests that got no answer from the mirror. Default slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Wait = cmp.Or(c.Wait, DefaultWait)
	c.Waiting = cmp.Or(c.Waiting, DefaultWaiting)
	c.Patience = cmp.Or(c.Patience, DefaultPatience)
	c.MaxRequest = cmp.Or(c.MaxRequest, DefaultMaxRequest)
	c.MaxAnswer = cmp.Or(c.MaxAnswer, DefaultMaxAnswer)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

// validate names the field, its value and what would be right.
//
//nolint:staticcheck // each error begins with its field's name
func (c Config) validate() error {
	switch _, err := url.Parse(c.Mirror); {
	case c.Client == nil:
		return errors.New("Client is nil, want the process's mirror client")
	case err != nil || c.Mirror == "":
		return errors.New("Mirror cannot be read, want the URL that the client was made with")
	case c.Wait < 0:
		return fmt.Errorf("Wait is %s, want more than 0", c.Wait)
	case c.Waiting < 0:
		return fmt.Errorf("Waiting is %d, want more than 0", c.Waiting)
	case c.Patience < 0:
		return fmt.Errorf("Patience is %s, want more than 0", c.Patience)
	case c.MaxRequest < 0 || c.MaxAnswer < 0:
		return fmt.Errorf("MaxRequest is %d and MaxAnswer %d, want more than 0", c.MaxRequest, c.MaxAnswer)
	}
	return nil
}
