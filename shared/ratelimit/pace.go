package ratelimit

import "time"

// Pace is what a Config comes to: the figures that all processes of an egress
// must have in common, and what follows from them.
type Pace struct {
	// Interval is the distance of two slots, Rate the permits a second that it
	// makes, Highest the most that the formula allows.
	Interval      time.Duration
	Rate, Highest float64
	Limit         int
	Window        time.Duration
	Horizon       time.Duration
	// Processes is how many that wait find a slot within the horizon: those
	// beyond are told to ask again.
	Processes int
}

// Pace checks a Config, fills its defaults and says what it comes to. Its
// errors are those of New.
func (c Config) Pace() (Pace, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return Pace{}, err
	}

	interval := c.interval()

	return Pace{
		Interval: interval, Rate: 1 / interval.Seconds(), Highest: c.highestRate(), Limit: c.Limit, Window: c.Window,
		Horizon: c.Horizon, Processes: int(c.Horizon / interval),
	}, nil
}

// InForce says whether a bucket goes by these figures.
func (p Pace) InForce(s State) bool {
	return s.Interval == p.Interval && s.Horizon == p.Horizon && s.Limit == p.Limit && s.Window == p.Window
}
