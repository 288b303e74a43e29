package bounded

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is the beginning of a text in one line: at most so many characters, the last of them
// … where it was cut. What cannot be printed becomes a blank, and several of them become one.
func Line(text string, limit int) string {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar
	})
	text = strings.Join(words, " ")
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return text
}

// mark stands at the end of a text that was cut.
const mark = " …"

// Text is the beginning of a text of any number of lines: at most so many bytes, and the
// mark. A text that was cut before is not cut again because of the mark.
func Text(text string, limit int) string {
	if cut := len(text) <= limit+len(mark) && strings.HasSuffix(text, mark); len(text) > limit && !cut {
		return strings.ToValidUTF8(text[:limit], "") + mark // without half a character
	}
	return strings.ToValidUTF8(text, "?")
}

// MaxOrderText is how many characters the reason of an order may have, and the name of its
// giver.
const MaxOrderText = 200

// CheckOrderText says what is wrong with the reason of an order, or with the name of its
// giver; nil for nothing. Terminals and logs show the text in a line, and dead letters
// repeat it.
func CheckOrderText(text string) error {
	if n := utf8.RuneCountInString(text); n > MaxOrderText || !utf8.ValidString(text) {
		return fmt.Errorf("it has %d characters: want at most %d, in UTF-8", n, MaxOrderText)
	}
	if at := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); at >= 0 {
		return fmt.Errorf("character %d cannot be printed: want one line of text", utf8.RuneCountInString(text[:at])+1)
	}
	return nil
}
