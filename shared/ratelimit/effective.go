package ratelimit

import "time"

// Effective is what a Config comes to: the parameters that all processes of an egress
// must have in common, and what follows from them.
type Effective struct {
	// Interval is the distance of two slots, Rate the permits a second that it
	// makes, Highest the maximum that the formula allows.
	Interval      time.Duration
	Rate, Highest float64
	Limit         int
	Window        time.Duration
	Horizon       time.Duration
	// Processes is how many that wait find a slot within the horizon: those
	// beyond are told to ask again.
	Processes int
}

// Effective checks a Config, fills its defaults and says what it comes to. Its
// errors are those of New.
func (c Config) Effective() (Effective, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return Effective{}, err
	}

	interval := c.interval()
	return Effective{
		Interval:  interval,
		Rate:      1 / interval.Seconds(),
		Highest:   c.highestRate(),
		Limit:     c.Limit,
		Window:    c.Window,
		Horizon:   c.Horizon,
		Processes: int(c.Horizon / interval),
	}, nil
}

// InForce says whether a bucket goes by these parameters.
func (e Effective) InForce(s State) bool {
	return s.Interval == e.Interval && s.Horizon == e.Horizon && s.Limit == e.Limit && s.Window == e.Window
}
