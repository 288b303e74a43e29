package terminal

import (
	"fmt"
	"io"
	"slices"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON is a place for JSON. What is not to be printed reaches it as \uXXXX, which
// stands for the same: a document keeps its value, and what others wrote in it
// steers no terminal, however the document came there.
func JSON(w io.Writer) io.Writer { return &filter{to: w, replace: escaped} }

// Text is a place for lines of text. What is not to be printed is replaced, as by
// Clean.
func Text(w io.Writer) io.Writer { return &filter{to: w, replace: cleaned} }

// filter replaces characters on their way.
type filter struct {
	to      io.Writer
	replace func(text []byte, r rune) []byte
	rest    []byte // the beginning of a character whose end is still to come
}

// Write writes all that is whole.
func (f *filter) Write(p []byte) (int, error) {
	var text []byte
	data := slices.Concat(f.rest, p)
	for len(data) > 0 && utf8.FullRune(data) {
		r, size := utf8.DecodeRune(data)
		text = f.replace(text, r)
		data = data[size:]
	}
	f.rest = data
	if _, err := f.to.Write(text); err != nil {
		return 0, err //nolint:wrapcheck // the place's own error
	}
	return len(p), nil
}

// escaped is for JSON, where such characters stand in texts alone; an encoder
// escapes line ends there.
func escaped(text []byte, r rune) []byte {
	if unicode.IsPrint(r) || r == '\n' || r == '\r' || r == '\t' {
		return utf8.AppendRune(text, r)
	}
	for _, unit := range utf16.AppendRune(nil, r) {
		text = fmt.Appendf(text, `\u%04x`, unit)
	}
	return text
}

func cleaned(text []byte, r rune) []byte {
	switch r {
	case '\r': // the terminal goes to the next line's beginning by itself
		return text
	case '\n':
		return append(text, '\n')
	}
	return utf8.AppendRune(text, printed(r))
}
