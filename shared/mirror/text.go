package mirror

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// unquote is the text of a valid JSON string, with its quotes. Its memory is its
// own: a text that is kept does not keep the answer.
func unquote(raw []byte) string {
	raw = raw[1 : len(raw)-1]
	escape := bytes.IndexByte(raw, '\\')
	if escape < 0 && utf8.Valid(raw) {
		return string(raw)
	}
	var text strings.Builder
	text.Grow(len(raw))
	for ; escape >= 0; escape = bytes.IndexByte(raw, '\\') {
		writePlain(&text, raw[:escape])
		raw = raw[escape+1:]
		if raw[0] != 'u' {
			text.WriteByte(unescaped(raw[0]))
			raw = raw[1:]
			continue
		}
		r, size := unicodeEscape(raw)
		text.WriteRune(r)
		raw = raw[size:]
	}
	writePlain(&text, raw)
	return text.String()
}

// unescaped is what a letter after a backslash stands for; the others stand
// for themselves.
func unescaped(letter byte) byte {
	switch letter {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return letter
}

// unicodeEscape reads uXXXX, or uXXXX\uXXXX when the two are a pair. A lone
// half of a pair has no UTF-8 and becomes U+FFFD.
func unicodeEscape(raw []byte) (r rune, size int) {
	const one, both = len(`uXXXX`), len(`uXXXX\uXXXX`)
	r = hex(raw[1:one])
	if !utf16.IsSurrogate(r) {
		return r, one
	}
	if len(raw) >= both && raw[one] == '\\' && raw[one+1] == 'u' {
		if pair := utf16.DecodeRune(r, hex(raw[one+2:both])); pair != utf8.RuneError {
			return pair, both
		}
	}
	return utf8.RuneError, one
}

func hex(digits []byte) rune {
	n, _ := strconv.ParseUint(string(digits), 16, 16) // checked with the document
	return rune(n)
}

// writePlain writes what has no escapes. What is not UTF-8 becomes U+FFFD, one
// for each longest beginning of a character, as Python's decoder has it (Go's
// own puts one for each byte).
func writePlain(text *strings.Builder, plain []byte) {
	if utf8.Valid(plain) {
		text.Write(plain)
		return
	}
	for len(plain) > 0 {
		r, size := utf8.DecodeRune(plain)
		if r == utf8.RuneError && size == 1 {
			size = subpart(plain)
		}
		text.WriteRune(r)
		plain = plain[size:]
	}
}

// subpart is how many bytes could be the beginning of a character, or 1. The
// ranges of the second byte are those of table 3-7 of the Unicode standard.
func subpart(b []byte) int {
	low := byte(0x80)
	high := byte(0xBF)
	maxSize := 2
	switch lead := b[0]; {
	case lead == 0xE0:
		low = 0xA0
	case lead == 0xED:
		high = 0x9F
	case lead == 0xF0:
		low, maxSize = 0x90, 3
	case lead == 0xF4:
		high, maxSize = 0x8F, 3
	case lead > 0xF0 && lead < 0xF4:
		maxSize = 3
	case lead < 0xE1 || lead > 0xEF:
		return 1
	}
	if len(b) < 2 || b[1] < low || b[1] > high {
		return 1
	}
	if maxSize == 3 && len(b) > 2 && b[2] >= 0x80 && b[2] <= 0xBF {
		return 3
	}
	return 2
}
