package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mirrorfleet/producer/answer"
	"mirrorfleet/shared/scoring"
)

const (
	// pageWidth is how wide a page is at most: the narrowest terminal in use.
	pageWidth     = 80
	instantLayout = answer.InstantLayout
)

// page is text for a person: lines of at most pageWidth characters, without
// control characters. What the mirror says is others' text, and must not
// write to the terminal as it likes.
type page struct{ out []byte }

func (p *page) writeTo(w io.Writer) error {
	if _, err := w.Write(p.out); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// blank ends a paragraph.
func (p *page) blank() { p.out = append(p.out, '\n') }

// linef prints a line as it is laid out, cut at the page's width.
func (p *page) linef(format string, args ...any) {
	text := []rune(plain(fmt.Sprintf(format, args...)))
	if len(text) > pageWidth {
		text = append(text[:pageWidth-1], '…')
	}
	p.out = append(p.out, strings.TrimRight(string(text), " ")...)
	p.blank()
}

// textf prints words behind an indent, over as many lines as they need; those
// after the first are indented two more.
func (p *page) textf(indent int, format string, args ...any) {
	margin, at := strings.Repeat(" ", indent), 0
	for word := range strings.FieldsSeq(plain(fmt.Sprintf(format, args...))) {
		length := utf8.RuneCountInString(word)
		switch {
		case at == 0:
			p.out = append(p.out, margin...)
			at = indent
		case at+1+length > pageWidth:
			p.out = append(p.out, "\n"+margin+"  "...)
			at = indent + 2
		default:
			p.out = append(p.out, ' ')
			at++
		}
		// A word longer than a line is broken where the line ends.
		runes := []rune(word)
		for room := pageWidth - at; len(runes) > room; room = pageWidth - at {
			p.out = append(p.out, string(runes[:room])+"\n"+margin+"  "...)
			runes, at = runes[room:], indent+2
		}
		p.out = append(p.out, string(runes)...)
		at += len(runes)
	}
	p.blank()
}

// plain replaces what is not to be printed.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// because is a reason for a person: its code, and its values by name.
func because(r scoring.Reason) string {
	if len(r.Values) == 0 {
		return string(r.Code)
	}
	values := make([]string, 0, len(r.Values))
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		value := r.Values[name]
		if value == "" {
			value = "none"
		}
		values = append(values, name+" "+value)
	}
	return string(r.Code) + " (" + strings.Join(values, "; ") + ")"
}

// exact is a figure in the shortest form that is no other one.
func exact(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// brief is a figure as a summary has it, with at most 9 significant digits.
func brief(x float64) string { return strconv.FormatFloat(x, 'g', 9, 64) }
