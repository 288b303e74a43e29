package python

import "strconv"

// Round2 is round2 of docs/rules/scoring.md#terms: the two-decimal number nearest to
// the exact binary value of x, ties to even. The decimal text makes it exact.
// Multiplying by 100 rounds twice and gets 1.005 and 2.675 wrong.
func Round2(x float64) float64 {
	// 'f' with two decimals is always parsable, infinities and NaN included.
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', 2, 64), 64)
	if err != nil {
		return x
	}
	return rounded
}
