package ratelimit

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"time"

	"mirrorfleet/shared/ratelimit/bucket"
)

// The defaults of [Config].
const (
	DefaultEgress      = "default"
	DefaultLimit       = 50
	DefaultWindow      = 10 * time.Second
	DefaultJitter      = 250 * time.Millisecond
	DefaultSpare       = 1
	DefaultHorizon     = 10 * time.Second
	DefaultTimeout     = 200 * time.Millisecond
	DefaultMaxCoolDown = 10 * time.Minute
	DefaultMinimum     = 4
)

// burst is b of the formula. It is no setting: each token more costs rate, and a
// queue that never runs dry has no use for it.
const burst = 1

// NoSpare asks for a Spare of none, which zero cannot say.
const NoSpare = -1

// longest bounds Window and Horizon: beyond an hour it is a mistyped unit.
const longest = bucket.Longest * time.Microsecond

// Config describes the bucket of one egress. Every process of an egress must be
// given the same parameters; the bucket holds off one with others, see
// [bucket.Differs]. The zero Config is the mirror's limit.
type Config struct {
	// Egress names the public IP that the requests leave from; each has a
	// bucket of its own. Letters, digits, dot, dash and underscore, at most 64.
	// Default "default".
	Egress string
	// Limit is L, the requests that the mirror allows in one Window W. Defaults
	// 50 and 10 s; lower where others use the same IP.
	Limit  int
	Window time.Duration
	// Jitter is J, the longest that may pass between a permit's slot and the
	// request. Longer wastes rate, shorter wastes permits. Default 250 ms.
	Jitter time.Duration
	// Spare is how many requests of the limit are left for what nobody meters: a
	// request of somebody else behind the IP, a small step of Redis' clock.
	// Default 1; NoSpare for none, which also costs rate: the noise of the
	// network is then taken for steps.
	Spare int
	// Rate is r, permits per second. Default the highest that
	// b + r·(W+J) ≤ L − Spare allows: 4.68 with the other defaults. A higher one
	// is refused.
	Rate float64
	// Horizon is the furthest ahead that a slot is reserved. It should hold one
	// slot of every process that waits (46 with the defaults): those beyond it
	// are told to ask again later, which costs calls and their order. A bucket
	// that starts, or lost its state, costs a pause of one horizon. Default 10 s.
	Horizon time.Duration
	// Timeout bounds each call to Redis. At most Jitter, since an answer that
	// took longer than that carries a permit past its use-by. Default 200 ms, or
	// four fifths of a shorter Jitter.
	Timeout time.Duration
	// MaxCoolDown bounds what [Limiter.CoolDown] is told. Default 10 min.
	MaxCoolDown time.Duration
	// Minimum is what the background of the egress has while the round waits: one
	// slot in so many, 1 to 1000. It need not be the same in all processes. Default 4.
	Minimum int
	// BackgroundReservations is how many slots this process may hold at once for the
	// background, 1 to 100. With P processes that wait for the round's permits, R of
	// them give this process R slots in P + R at most, so that one process that
	// stands for many clients needs several to have the minimum. Default 1.
	BackgroundReservations int
	// Log takes the loss of Redis and its return, once each. Default
	// slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Egress = cmp.Or(c.Egress, DefaultEgress)
	c.Limit = cmp.Or(c.Limit, DefaultLimit)
	c.Window = cmp.Or(c.Window, DefaultWindow)
	c.Jitter = cmp.Or(c.Jitter, DefaultJitter)
	c.Horizon = cmp.Or(c.Horizon, DefaultHorizon)
	c.Timeout = cmp.Or(c.Timeout, min(DefaultTimeout, c.Jitter*4/5))
	c.MaxCoolDown = cmp.Or(c.MaxCoolDown, DefaultMaxCoolDown)
	c.Minimum = cmp.Or(c.Minimum, DefaultMinimum)
	c.BackgroundReservations = cmp.Or(c.BackgroundReservations, 1)
	c.Spare = cmp.Or(c.Spare, DefaultSpare)
	if c.Spare == NoSpare {
		c.Spare = 0
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

var egressName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// CheckEgress says what is wrong with the name of an egress.
func CheckEgress(name string) error {
	if !egressName.MatchString(name) {
		return fmt.Errorf("ratelimit: Egress is %q, want 1 to 64 letters, digits, dots, dashes or underscores", name)
	}
	return nil
}

// validate checks a Config whose defaults are filled in.
func (c Config) validate() error {
	between := func(field string, d, minimum, maximum time.Duration) error {
		if d < minimum || d > maximum {
			return fmt.Errorf("ratelimit: %s is %v, want %v to %v", field, d, minimum, maximum)
		}
		return nil
	}
	if err := CheckEgress(c.Egress); err != nil {
		return err
	}
	if err := between("Window", c.Window, time.Millisecond, longest); err != nil {
		return err
	}
	if err := between("Jitter", c.Jitter, time.Millisecond, c.Window); err != nil {
		return err
	}
	if err := between("Timeout", c.Timeout, time.Microsecond, c.Jitter); err != nil {
		return err
	}
	if err := between("MaxCoolDown", c.MaxCoolDown, time.Second, 24*time.Hour); err != nil {
		return err
	}
	if c.Minimum < 1 || c.Minimum > 1000 {
		return fmt.Errorf("ratelimit: Minimum is %d, want one slot in 1 to 1000", c.Minimum)
	}
	if c.BackgroundReservations < 1 || c.BackgroundReservations > 100 {
		return fmt.Errorf("ratelimit: BackgroundReservations is %d, want 1 to 100", c.BackgroundReservations)
	}
	if c.Spare < 0 || c.Limit-c.Spare <= burst {
		return fmt.Errorf("ratelimit: Limit is %d and Spare %d, want a Spare of 0 or more and a Limit above Spare + %d",
			c.Limit, c.Spare, burst)
	}
	if err := c.validateRate(); err != nil {
		return err
	}
	return between("Horizon", c.Horizon, c.interval(), longest)
}

// validateRate holds the formula.
func (c Config) validateRate() error {
	if math.IsNaN(c.Rate) || c.Rate < 0 {
		return fmt.Errorf("ratelimit: Rate is %v, want more than 0 per second, or 0 for the highest allowed", c.Rate)
	}
	if c.Rate > c.highestRate() {
		return fmt.Errorf("ratelimit: Rate is %.4g per second, want at most %.4g: b + r·(W+J) ≤ L − spare, "+
			"here %d + %.4g·(%v + %v) = %.4g > %d − %d",
			c.Rate, c.highestRate(), burst, c.Rate, c.Window.Seconds(), c.Jitter.Seconds(),
			burst+c.Rate*(c.Window+c.Jitter).Seconds(), c.Limit, c.Spare)
	}
	return nil
}

// highestRate is r of b + r·(W+J) = L − spare.
func (c Config) highestRate() float64 {
	return float64(c.Limit-c.Spare-burst) / (c.Window + c.Jitter).Seconds()
}

// interval is the distance of two slots: 1/r in whole microseconds, rounded up
// so that the formula still holds.
func (c Config) interval() time.Duration {
	rate := c.Rate
	if rate == 0 {
		rate = c.highestRate()
	}
	return time.Duration(math.Ceil(1e6/rate)) * time.Microsecond
}

// request is what every request to the bucket carries.
func (c Config) request() bucket.Request {
	return bucket.Request{
		Interval: c.interval().Microseconds(),
		Horizon:  c.Horizon.Microseconds(),
		Limit:    int64(c.Limit),
		Window:   c.Window.Microseconds(),
		// Half of what the spare covers: r·tolerance = spare/2.
		Tolerance: int64(c.Spare) * c.interval().Microseconds() / 2,
		MaxCool:   c.MaxCoolDown.Microseconds(),
	}
}
