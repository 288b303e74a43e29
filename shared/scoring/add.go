package scoring

import "math"

// total is a sum with a running compensation for what each addition rounds
// away (Neumaier). Python's sum() adds floats like this from 3.12 on, and the
// validator uses it. A plain sum differs in the last bit, and near a threshold
// by a whole slot.
//
// The sum begins as an integer: the first float is added to the integers before it
// without compensation.
type total struct {
	high, low float64
	float     bool // a float has been added
}

func (t *total) add(x float64) {
	if !t.float {
		t.high += x
		t.float = true
		return
	}
	sum := t.high + x
	if math.Abs(t.high) >= math.Abs(x) {
		t.low += (t.high - sum) + x
	} else {
		t.low += (x - sum) + t.high
	}
	t.high = sum
}

// addWhole adds a number that the validator keeps as an integer. Python's sum()
// adds an int to a running float without compensation.
func (t *total) addWhole(x float64) { t.high += x }

// value is the sum. As in Python, a compensation that is not finite is ignored:
// it would turn an infinite sum into NaN.
func (t *total) value() float64 {
	if t.low != 0 && !math.IsInf(t.low, 0) && !math.IsNaN(t.low) {
		return t.high + t.low
	}
	return t.high
}

// sumOf adds up one number of each item. The order of the items decides the last
// bit.
func sumOf[T any](items []T, figure func(*T) float64) float64 {
	var t total
	for i := range items {
		t.add(figure(&items[i]))
	}
	return t.value()
}

// countOf is sumOf for whole numbers.
func countOf[T any](items []T, figure func(*T) int) int {
	n := 0
	for i := range items {
		n += figure(&items[i])
	}
	return n
}

// slots is how many whole slots of a size a score fills, at most maximum. It is
// Python's score // size: the floor of the exact quotient. A division rounds
// before the floor is taken and can reach the next whole number: 1/0.1 is 10, but
// ten slots of the float64 written 0.1 are more than 1. Scores are never negative,
// because weights are not; so the signs that Python handles do not occur. size is
// above 0: the registry refuses any other.
func slots(score, size float64, maximum int) int {
	rest := math.Mod(score, size)
	quotient := (score - rest) / size
	whole := math.Floor(quotient)
	if quotient-whole > 0.5 {
		whole++
	}
	return int(min(whole, float64(maximum)))
}

// threshold is how many items may be open before they count as spam: the base
// plus one for each slot that the score fills, at most maximum. A base above it is
// lowered to it. docs/rules/scoring.md#evaluation has the rule for pull requests,
// docs/rules/scoring.md#earnings the one for issues.
func threshold(base int, score, size float64, maximum int) int {
	return min(base+slots(score, size, maximum), maximum)
}

// spamMultiplier is 1 up to the threshold and 0 beyond it.
func spamMultiplier(open, threshold int) float64 {
	if open <= threshold {
		return 1
	}
	return 0
}
