package scoring

// What tests of the rules' parts look at.
var (
	Threshold   = threshold
	TimeDecayOf = timeDecay
)

// SumOf is the validator's sum of floats.
func SumOf(xs ...float64) float64 { return sumOf(xs, func(x *float64) float64 { return *x }) }
