package scoring_test

import (
	"math"
	"testing"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/python"
)

func TestRound2OnTheHalves(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ x, want float64 }{
		{0.125, 0.12}, {0.375, 0.38}, {-0.125, -0.12}, {-0.375, -0.38}, // exact halves go to even
		{2.675, 2.67}, {1.005, 1}, {-2.675, -2.67}, {-1.005, -1}, // just below a half in binary
		{0.015, 0.01}, {0.045, 0.04}, {8.345, 8.35}, {1.115, 1.11},
		{0, 0}, {1e-300, 0}, {1e15 + 0.125, 1e15 + 0.12}, {1e22, 1e22}, {math.MaxFloat64, math.MaxFloat64},
	} {
		if got := python.Round2(tt.x); got != tt.want {
			t.Errorf("Round2(%v): got %v, want %v", tt.x, got, tt.want)
		}
	}
	if got := python.Round2(-0.001); got != 0 || !math.Signbit(got) {
		t.Errorf("Round2(-0.001): got %v, want -0", got)
	}
}

// The expected values are Python 3.12's.
func TestSumIsCompensated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		xs   []float64
		want float64
	}{
		{nil, 0},
		{[]float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, 1},
		{[]float64{1, 1e100, 1, -1e100}, 2},
		{[]float64{0.1, 0.2, 0.3}, 0.6},
		{[]float64{math.Inf(1), 1}, math.Inf(1)},
	} {
		if got := scoring.SumOf(tt.xs...); got != tt.want {
			t.Errorf("sum of %v: got %v, want %v", tt.xs, got, tt.want)
		}
	}
}

// A repository whose fixed base score is an integer comes first: the sum is an integer until
// the first float. The expected values are Python 3.12's.
func TestASumBeginsAsAnInteger(t *testing.T) {
	t.Parallel()
	if got, want := scoring.SumOfWhole([]float64{5}, 11.15, 0.27), 16.419999999999998; got != want {
		t.Errorf("sum of 5, 11.15, 0.27: got %v, want %v", got, want)
	}
	if got, want := scoring.SumOf(5, 11.15, 0.27), 16.42; got != want {
		t.Errorf("sum of 5.0, 11.15, 0.27: got %v, want %v", got, want)
	}
}

func TestThreshold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		base          int
		score, size   float64
		maximum, want int
	}{
		{2, 0, 300, 30, 2},
		{2, 299.99, 300, 30, 2},
		{2, 300, 300, 30, 3},
		{2, 900, 300, 30, 5},
		{2, 1e9, 300, 30, 30},
		{50, 0, 300, 30, 30},
		{0, 1, 0.1, 30, 9}, // the number written 0.1 is a little more than a tenth
		{0, 0.3, 0.1, 30, 2},
		{0, 6, 0.2, 100, 29},
		{0, 1e300, 1e-300, 30, 30}, // the quotient is beyond any integer
		{1 << 53, 1e300, 1, 1 << 53, 1 << 53},
	} {
		if got := scoring.Threshold(tt.base, tt.score, tt.size, tt.maximum); got != tt.want {
			t.Errorf("threshold(%d, %v, %v, %d): got %d, want %d", tt.base, tt.score, tt.size, tt.maximum, got, tt.want)
		}
	}
}
