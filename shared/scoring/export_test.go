package scoring

// What tests of the rules' parts look at.
var (
	Threshold   = threshold
	TimeDecayOf = timeDecay
)

// SumOf is the validator's sum of floats.
func SumOf(xs ...float64) float64 { return sumOf(xs, func(x *float64) float64 { return *x }) }

// SumOfWhole is the validator's sum of integers, and of floats after them.
func SumOfWhole(whole []float64, xs ...float64) float64 {
	var t total
	for _, x := range whole {
		t.addWhole(x)
	}
	for _, x := range xs {
		t.add(x)
	}
	return t.value()
}
