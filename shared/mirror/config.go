package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Meter grants the right to send one request now. It is an interface because
// adapters do not import each other; the limiter of the fleet is one.
type Meter interface {
	// Permit blocks until a request may be sent, which must happen by useBy.
	Permit(ctx context.Context) (useBy time.Time, err error)
	// CoolDown stops the whole egress for a time.
	CoolDown(ctx context.Context, d time.Duration) error
}

// Config describes the client.
type Config struct {
	// BaseURL is the mirror's, such as https://mirror.gittensor.io. Required.
	BaseURL string
	// Meter grants permits. Required: nothing is sent unmetered.
	Meter Meter
	// Source is this machine's address from which requests leave. Default: the system chooses.
	Source netip.Addr
	// PoolSize is the most connections, and the most requests under way.
	// Default 8.
	PoolSize int
	// Timeout bounds one sending, from its permit to the last byte. Default
	// 30 s, as the validator's.
	Timeout time.Duration
	// Backoff is the longest pause after the first failed try; it doubles with
	// each further one up to MaxBackoff, and each pause is drawn from between 0
	// and that (full jitter). Defaults 1 s and 8 s.
	Backoff, MaxBackoff time.Duration
	// Throttled is the cool-down after a 429 without a Retry-After: the
	// mirror's own mitigation period. Default 10 s.
	Throttled time.Duration
	// MaxList and MaxFiles cap an answer in bytes, after decompression: one page
	// of a list, the files of one pull request. A process holds at most PoolSize
	// answers while it reads them, each one twice (as it came and decoded).
	// Defaults 32 MiB and 64 MiB: a large files answer has tens of MB.
	MaxList, MaxFiles int64
	// MaxPages caps the pages of one list, 200 items each. Default 50.
	MaxPages int
	// BreakAfter is how many requests in a row must fail, all their tries, to
	// open the breaker, and BreakFor how long it then stays open. A success in
	// between starts the count anew, and so few different requests as
	// BreakAcross do not count as the mirror's failure: one miner whose list
	// always fails does not stop the others, even when it is the last one of a
	// round. Defaults 8, 3 and 10 s, the mirror's own mitigation period.
	BreakAfter  uint32
	BreakAcross int
	BreakFor    time.Duration
	// Log hears of cool-downs and of the breaker. Default slog.Default().
	Log *slog.Logger
}

// maxTries is how often a request is sent at most: the validator's own number.
const maxTries = 3

func (c Config) withDefaults() Config {
	c.PoolSize = cmp.Or(c.PoolSize, 8)
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	c.Backoff = cmp.Or(c.Backoff, time.Second)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, 8*time.Second)
	c.Throttled = cmp.Or(c.Throttled, 10*time.Second)
	c.MaxList = cmp.Or(c.MaxList, 32<<20)
	c.MaxFiles = cmp.Or(c.MaxFiles, 64<<20)
	c.MaxPages = cmp.Or(c.MaxPages, 50)
	c.BreakAfter = cmp.Or(c.BreakAfter, 8)
	c.BreakAcross = cmp.Or(c.BreakAcross, 3)
	c.BreakFor = cmp.Or(c.BreakFor, 10*time.Second)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

// validate names the field, its value and what would be right.
func (c Config) validate() error {
	if _, err := parseBase(c.BaseURL); err != nil {
		return err
	}
	if c.Meter == nil {
		return errors.New("Meter is nil, want the limiter of the egress")
	}
	return errors.Join(
		positive("PoolSize", c.PoolSize), positive("MaxPages", c.MaxPages), positive("BreakAcross", c.BreakAcross),
		positive("MaxList", c.MaxList), positive("MaxFiles", c.MaxFiles),
		positive("Timeout", c.Timeout), positive("Backoff", c.Backoff), positive("MaxBackoff", c.MaxBackoff),
		positive("Throttled", c.Throttled), positive("BreakFor", c.BreakFor),
	)
}

func positive[T int | int64 | time.Duration](field string, value T) error {
	if value > 0 {
		return nil
	}
	return fmt.Errorf("%s is %v, want more than 0", field, value)
}

// parseBase reads the mirror's URL. Errors leave out what may be a password.
func parseBase(raw string) (*url.URL, error) {
	base, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("BaseURL cannot be read, want a URL such as https://mirror.gittensor.io")
	case base.User != nil:
		return nil, fmt.Errorf("BaseURL %q has credentials, the mirror takes none", base.Scheme+"://"+base.Host)
	case base.Host == "" || (base.Scheme != "http" && base.Scheme != "https"):
		_, after, found := strings.Cut(raw, "@")
		if !found {
			after = raw
		}
		return nil, fmt.Errorf("BaseURL is %q, want a URL such as https://mirror.gittensor.io", after)
	case base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("BaseURL %q has a query or fragment, want scheme, host and path only", base.Scheme+"://"+base.Host)
	}
	return base, nil
}
