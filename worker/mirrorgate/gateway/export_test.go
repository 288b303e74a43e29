package gateway

import "time"

// Pace is what is left of a patience after waits that ended with so many bytes gone.
func Pace(patience time.Duration, waits []time.Duration, gone int) time.Duration {
	p := pace{patience, patience}
	for _, waited := range waits {
		p = p.after(waited, gone)
	}
	return p.left
}
