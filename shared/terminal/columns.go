package terminal

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Columns is how many columns of a terminal a text of one line takes: two for a
// character of East Asia or a picture, none for a mark upon the one before.
func Columns(text string) int {
	sum := 0
	for _, r := range text {
		sum += columns(r)
	}
	return sum
}

func columns(r rune) int {
	if r < 0x300 { // the first mark
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	case width.Neutral, width.EastAsianAmbiguous, width.EastAsianNarrow, width.EastAsianHalfwidth:
	}
	return 1
}

// Break is the beginning of a text that fits into so many columns, and the rest.
func Break(text string, limit int) (begin, rest string) {
	sum := 0
	for at, r := range text {
		if sum += columns(r); sum > limit {
			return text[:at], text[at:]
		}
	}
	return text, ""
}

// Cut is a text that fits into so many columns: a text that is cut ends in ….
func Cut(text string, limit int) string {
	if Columns(text) <= limit {
		return text
	}
	begin, _ := Break(text, limit-1)
	return strings.TrimRight(begin, " ") + "…"
}
