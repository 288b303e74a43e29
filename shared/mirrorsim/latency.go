package mirrorsim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Latency is the delay of an answer: a fixed time, or a draw from a distribution. The zero
// value is no delay.
type Latency struct {
	kind  string // "", "uniform" or "lognormal"
	a, b  time.Duration
	sigma float64
}

// maxLatency bounds a draw: a lognormal distribution has no upper bound.
const maxLatency = time.Minute

// Fixed is the same latency for every answer.
func Fixed(d time.Duration) Latency { return Latency{a: d} }

// ParseLatency reads "50ms", "uniform:20ms,200ms" (from, to) or
// "lognormal:80ms,0.5" (median, sigma of the logarithm).
func ParseLatency(text string) (Latency, error) {
	wrong := fmt.Errorf("latency %q: want a duration (50ms), uniform:FROM,TO (uniform:20ms,200ms) "+
		"or lognormal:MEDIAN,SIGMA (lognormal:80ms,0.5)", text)
	kind, args, found := strings.Cut(text, ":")
	if !found {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return Latency{}, wrong
		}
		return Fixed(d), nil
	}
	first, second, _ := strings.Cut(args, ",")
	a, err := time.ParseDuration(first)
	if err != nil || a < 0 {
		return Latency{}, wrong
	}
	switch kind {
	case "uniform":
		b, err := time.ParseDuration(second)
		if err != nil || b < a {
			return Latency{}, wrong
		}
		return Latency{kind: kind, a: a, b: b}, nil
	case "lognormal":
		sigma, err := strconv.ParseFloat(second, 64)
		if err != nil || !(sigma >= 0 && sigma <= 10) {
			return Latency{}, wrong
		}
		return Latency{kind: kind, a: a, sigma: sigma}, nil
	}
	return Latency{}, wrong
}

// draw is one answer's latency, at most maxLatency.
func (l Latency) draw(rng *rand.Rand) time.Duration {
	d := l.a
	switch l.kind {
	case "uniform":
		d += time.Duration(rng.Float64() * float64(l.b-l.a))
	case "lognormal":
		factor := math.Exp(l.sigma * rng.NormFloat64())
		d = time.Duration(min(float64(l.a)*factor, float64(maxLatency)))
	}
	return min(d, maxLatency)
}
