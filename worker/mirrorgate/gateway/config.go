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
	// DefaultWait leaves five of the thirty seconds after which a validator gives up to
	// the mirror's answer.
	DefaultWait = 25 * time.Second
	// DefaultWaiting is as many as the default limit serves in DefaultWait, less a few.
	DefaultWaiting = 100
	// DefaultMaxRequest is for the windows of 200 repositories, the most that the mirror
	// takes, which need 36 kB with the longest names.
	DefaultMaxRequest = 64 << 10
	// DefaultMaxAnswer is several times what a files answer has at worst.
	DefaultMaxAnswer = 256 << 20
)

// Config describes a gateway.
type Config struct {
	// Client passes the requests on. Required; whoever made it closes it.
	Client *mirror.Client
	// Mirror is the URL that the client was made with. Required.
	Mirror string
	// Wait bounds how long a request is without a permit. Default DefaultWait.
	Wait time.Duration
	// Waiting is how many requests may wait for their first permit at once. Default
	// DefaultWaiting.
	Waiting int
	// MaxRequest and MaxAnswer cap a body in bytes: a request's, which is held in memory,
	// and an answer's as it comes, which is not. Defaults DefaultMaxRequest and
	// DefaultMaxAnswer.
	MaxRequest, MaxAnswer int64
	// Log hears of requests that got no answer. Default slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Wait = cmp.Or(c.Wait, DefaultWait)
	c.Waiting = cmp.Or(c.Waiting, DefaultWaiting)
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
	case c.MaxRequest < 0 || c.MaxAnswer < 0:
		return fmt.Errorf("MaxRequest is %d and MaxAnswer %d, want more than 0", c.MaxRequest, c.MaxAnswer)
	}
	return nil
}
