package scoring

import "math"

// total adds up with a running compensation for what each addition rounds
// away (Neumaier). The validator's own sums are made so; a plain sum differs in
// the last bit, and near a threshold by a whole slot.
type total struct{ high, low float64 }

func (t *total) add(x float64) {
	sum := t.high + x
	if math.Abs(t.high) >= math.Abs(x) {
		t.low += (t.high - sum) + x
	} else {
		t.low += (x - sum) + t.high
	}
	t.high = sum
}

// addWhole adds a number that the validator keeps as an integer: its sums do
// not compensate for those.
func (t *total) addWhole(x float64) { t.high += x }

func (t *total) value() float64 {
	if t.low != 0 && !math.IsInf(t.low, 0) && !math.IsNaN(t.low) {
		return t.high + t.low
	}
	return t.high
}

// sumOf adds up a figure of each item, in their order.
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

// slots is how many whole slots of a size a score fills, at most most: the
// floor of the exact quotient. Dividing first can round up to the next whole
// number: 1/0.1 is 10, but ten slots of the number written 0.1 are more than 1.
// Scores are never negative: weights are not.
func slots(score, size float64, most int) int {
	rest := math.Mod(score, size)
	quotient := (score - rest) / size
	whole := math.Floor(quotient)
	if quotient-whole > 0.5 {
		whole++
	}
	return int(min(whole, float64(most)))
}

// threshold is how many open items are no spam yet: the base, one more for
// each slot that the score fills, and at most most.
func threshold(base int, score, size float64, most int) int {
	return min(base+slots(score, size, most), most)
}

// spamMultiplier is 1 up to the threshold and 0 beyond it.
func spamMultiplier(open, threshold int) float64 {
	if open <= threshold {
		return 1
	}
	return 0
}
