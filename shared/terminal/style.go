package terminal

import (
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// Style is how a place takes text.
type Style struct {
	// Width is the terminal's in characters; 0 is for what has none.
	Width  int
	Colour bool
}

// Writer is a place of a known style.
type Writer struct {
	io.Writer

	Style Style
}

// usual is the width of a terminal that does not tell its own.
const usual = 80

// Of finds out about a place: a Writer says it itself, a file is asked, also that
// of a Screen.
func Of(w io.Writer) Style {
	switch place := w.(type) {
	case Writer:
		return place.Style
	case *Screen:
		return Of(place.file)
	case *os.File:
		if !term.IsTerminal(int(place.Fd())) {
			return Style{}
		}
		width, _, err := term.GetSize(int(place.Fd()))
		if err != nil || width <= 0 {
			width = usual
		}
		return Style{Width: width, Colour: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	}
	return Style{}
}

// Colour is what a text is painted with, by what it means.
type Colour string

// The colours, of the sixteen that every terminal has.
const (
	Plain Colour = ""
	Good  Colour = "\x1b[32m"
	Warn  Colour = "\x1b[33m"
	Bad   Colour = "\x1b[31m"
	Head  Colour = "\x1b[1m"
)

const reset = "\x1b[0m"

// Paint colours a text of one line, where colour is taken.
func (s Style) Paint(c Colour, text string) string {
	if !s.Colour || c == Plain || text == "" {
		return text
	}
	return string(c) + text + reset
}

// Clean replaces characters that are not printed: text of others must not write to
// the terminal as it likes.
func Clean(text string) string { return strings.Map(printed, text) }

// CleanLines is Clean for a text of several lines.
func CleanLines(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return printed(r)
	}, text)
}

// printed is a character, or what stands for one that is not to be printed.
func printed(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}
