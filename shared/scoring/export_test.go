package scoring

// What tests of the rules' parts look at.
var (
	MatchGlob   = matchGlob
	Threshold   = threshold
	TimeDecayOf = timeDecay
	PythonLower = pythonLower
)

// SumOf is the validator's sum of floats.
func SumOf(xs ...float64) float64 { return sumOf(xs, func(x *float64) float64 { return *x }) }
