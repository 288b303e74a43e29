package python_test

import (
	"math"
	"testing"

	"mirrorfleet/shared/scoring/python"
)

// The nearest two-decimal number to the exact binary value: 1.005 and 2.675 lie
// below their halves, 0.125 and 0.375 on them (ties to even).
func TestRound2(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want float64 }{
		{0, 0}, {1.005, 1}, {2.675, 2.67}, {0.125, 0.12}, {0.375, 0.38}, {-0.125, -0.12}, {-2.675, -2.67},
		{0.005, 0.01}, {0.015, 0.01}, {29.994999999999997, 29.99}, {1e15 + 0.125, 1e15 + 0.12}, {1e300, 1e300},
		{math.Inf(1), math.Inf(1)},
	} {
		if got := python.Round2(tt.in); got != tt.want {
			t.Errorf("Round2(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
	if got := python.Round2(-0.001); got != 0 || !math.Signbit(got) {
		t.Errorf("Round2(-0.001) = %v, want -0", got)
	}
	if got := python.Round2(math.NaN()); !math.IsNaN(got) {
		t.Errorf("Round2(NaN) = %v, want NaN", got)
	}
}

// A number that has two decimals already stays itself.
func FuzzRound2(f *testing.F) {
	for _, x := range []float64{0.125, 2.675, 1.005, -7.5, 1e17} {
		f.Add(x)
	}
	f.Fuzz(func(t *testing.T, x float64) {
		once := python.Round2(x)
		if twice := python.Round2(once); twice != once && !math.IsNaN(x) {
			t.Errorf("Round2(%v) = %v, again %v", x, once, twice)
		}
		if math.Abs(once-x) > 0.00501*max(1, math.Abs(x)) {
			t.Errorf("Round2(%v) = %v: too far", x, once)
		}
	})
}
