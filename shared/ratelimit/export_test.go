package ratelimit

// What the tests outside the package compare with.
var (
	ReserveSource = reserveSource
	Key           = key
)

// Interval is the distance of two slots of a Config.
func Interval(c Config) int64 { return c.withDefaults().interval().Microseconds() }
