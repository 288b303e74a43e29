package python_test

import (
	"testing"

	"mirrorfleet/shared/scoring/python"
)

// What Python's lower makes of each.
func TestLowerCase(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": "", "Kind/BUG": "kind/bug", "ÉTÉ": "été", "\u212a": "k", "\u0130x": "i\u0307x",
		"ΣΦΑΛΜΑΤΑΣ": "σφαλματας", "ΣΑΣ ΣΑΣ": "σας σας", "Σ": "σ", "1Σ": "1σ", "aΣb": "aσb", "aΣ2": "aς2", "ΣΣ": "σς", "σας": "σας",
		"A.Σ": "a.ς", "AΣ'B": "aσ'b", "AΣ' B": "aς' b", "A\u0301Σ": "a\u0301ς", "-Σ": "-σ", "ʰΣ": "ʰσ", "\u0130Σ": "i\u0307ς",
	} {
		if got := python.Lower(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}
