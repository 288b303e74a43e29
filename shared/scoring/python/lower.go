package python

import (
	"strings"
	"unicode"
)

// Lower lower-cases as Python's str.lower does. Two letters differ from Go's
// strings.ToLower. İ keeps its dot as a combining mark; Go maps it to i alone, and a
// name with İ could pass for an ASCII one. A Σ that ends a word becomes ς.
func Lower(s string) string {
	s = strings.ReplaceAll(s, "\u0130", "i\u0307")
	if !strings.ContainsRune(s, 'Σ') {
		return strings.ToLower(s)
	}
	runes := []rune(s)
	lower := make([]rune, len(runes))
	for i, r := range runes {
		lower[i] = unicode.ToLower(r)
		if r == 'Σ' && endsWord(runes, i) {
			lower[i] = 'ς'
		}
	}
	return string(lower)
}

// endsWord says whether the i-th character has a letter before it and none after
// it, marks and apostrophes skipped: Unicode's Final_Sigma.
func endsWord(runes []rune, i int) bool {
	before, after := i-1, i+1
	for before >= 0 && ignoredInWords(runes[before]) {
		before--
	}
	for after < len(runes) && ignoredInWords(runes[after]) {
		after++
	}
	return before >= 0 && isCased(runes[before]) && (after == len(runes) || !isCased(runes[after]))
}

func isCased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// ignoredInWords is Unicode's Case_Ignorable: some categories, and the signs that
// the standard lists because they occur inside words.
func ignoredInWords(r rune) bool {
	const signs = "'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a"
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune(signs, r)
}
