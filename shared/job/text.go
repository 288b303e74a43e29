package job

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxOrderText is how many characters a reason, or the name of who orders, may have.
const MaxOrderText = 200

// CheckOrderText says what is wrong with a reason, or with the name of who orders; nil if
// nothing is. The text is shown in lines of terminals and logs, and dead letters repeat it.
func CheckOrderText(text string) error {
	if n := utf8.RuneCountInString(text); n > MaxOrderText || !utf8.ValidString(text) {
		return fmt.Errorf("it has %d characters: want at most %d, in UTF-8", n, MaxOrderText)
	}
	if at := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); at >= 0 {
		return fmt.Errorf("character %d is none that is printed: want one line of text", utf8.RuneCountInString(text[:at])+1)
	}
	return nil
}
