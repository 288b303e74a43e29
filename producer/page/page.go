package page

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/terminal"
)

const (
	// pageWidth is the width of a page that is not written to a terminal, in columns.
	// minWidth is the least: on a narrower terminal lines wrap.
	pageWidth, minWidth = 80, 40

	instantLayout = view.InstantLayout
)

// page collects text for a person: lines of at most the terminal's width, without control
// characters. Titles, logins and errors of the mirror are written by strangers, and could
// otherwise move the cursor or forge lines. It is written at once, so that an error leaves
// no half page.
type page struct {
	out   []byte
	width int
	style terminal.Style
}

// newPage makes a page for a writer, with its width and colours.
func newPage(w io.Writer) *page {
	p := &page{width: pageWidth, style: terminal.Of(w)}
	if p.style.Width > 0 {
		p.width = max(p.style.Width, minWidth)
	}
	return p
}

func (p *page) writeTo(w io.Writer) error {
	if _, err := w.Write(p.out); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// blank ends a paragraph.
func (p *page) blank() { p.out = append(p.out, '\n') }

// painted colours each line that show prints. Indents stay plain, so that a background
// colour does not begin at the margin.
func (p *page) painted(c terminal.Colour, show func()) {
	start := len(p.out)
	show()
	lines := strings.Split(string(p.out[start:]), "\n")
	for i, line := range lines {
		text := strings.TrimLeft(line, " ")
		lines[i] = line[:len(line)-len(text)] + p.style.Paint(c, text)
	}
	p.out = append(p.out[:start], strings.Join(lines, "\n")...)
}

// headingf prints what a page is about.
func (p *page) headingf(format string, args ...any) {
	p.painted(terminal.Head, func() { p.textf(0, format, args...) })
}

// linef prints a line of columns as it is laid out. A line that is too wide is broken
// between columns and continues on the next one, so that no number is cut.
func (p *page) linef(format string, args ...any) {
	const further = 8
	text := strings.TrimRight(terminal.Clean(fmt.Sprintf(format, args...)), " ")
	room, margin := p.width, ""
	for terminal.Columns(text) > room {
		begin, _ := terminal.Break(text, max(room, 1))
		end := len(begin)
		for end > 0 && (text[end] != ' ' || text[end-1] == ' ') {
			end--
		}
		if end == 0 { // only spaces before a word that does not fit
			if word := strings.TrimLeft(text, " "); len(word) < len(text) {
				text = word
				continue
			}
			end = max(len(begin), 1)
		}
		p.out = append(p.out, margin+text[:end]+"\n"...)
		text = text[end:]
		room = p.width - further
		margin = strings.Repeat(" ", further)
	}
	p.out = append(p.out, margin+text...)
	p.blank()
}

// textf prints words behind an indent, over as many lines as they need; those
// after the first are indented two more.
func (p *page) textf(indent int, format string, args ...any) {
	margin := strings.Repeat(" ", indent)
	p.words(margin, indent+2, fmt.Sprintf(format, args...))
}

// hangf prints words behind a head; the lines after the first are indented to where the
// first one's words begin. Line breaks in the text become "; ".
func (p *page) hangf(head, format string, args ...any) {
	p.words(head, terminal.Columns(head), strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; "))
}

// words prints words behind a beginning, over as many lines as they need. Lines after the
// first are indented by hanging columns, but at most by half of the page, so that words
// have room on a narrow terminal.
func (p *page) words(begin string, hanging int, text string) {
	hanging, begin = min(hanging, p.width/2), terminal.Clean(begin)
	margin := strings.Repeat(" ", hanging)
	start := terminal.Columns(begin)
	at := 0
	for word := range strings.FieldsSeq(terminal.Clean(text)) {
		length := terminal.Columns(word)
		switch {
		case at == 0:
			p.out = append(p.out, begin...)
			at = start
		case at+1+length > p.width:
			p.out = append(p.out, "\n"+margin...)
			at = hanging
		default:
			p.out = append(p.out, ' ')
			at++
		}
		// A word longer than a line is broken where the line ends.
		for at+length > p.width {
			var piece string
			piece, word = terminal.Break(word, max(0, p.width-at))
			p.out = append(p.out, piece+"\n"+margin...)
			length, at = terminal.Columns(word), hanging
		}
		p.out = append(p.out, word...)
		at += length
	}
	p.blank()
}

// because prints a reason: its code, and its values in the order of their names.
func because(r scoring.Reason) string {
	if len(r.Values) == 0 {
		return string(r.Code)
	}
	values := make([]string, 0, len(r.Values))
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		value := rounded(r.Values[name])
		if value == "" {
			value = "none"
		}
		values = append(values, name+" "+value)
	}
	return string(r.Code) + " (" + strings.Join(values, "; ") + ")"
}

// brief prints a number with at most 9 significant digits, enough to compare with the
// rewards' 9 decimals; --json has all digits.
func brief(x float64) string { return strconv.FormatFloat(x, 'g', 9, 64) }

// rounded shortens a value of a reason if it is a number with a fraction. Whole numbers,
// such as ids, stay as they are.
func rounded(text string) string {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !strings.Contains(text, ".") {
		return text
	}
	return brief(x)
}

// titlef prints a page's title, with more about it on the same line if it fits, and on the
// next line otherwise.
func (p *page) titlef(title, more string) {
	if terminal.Columns(title+", "+more) <= p.width {
		p.headingf("%s, %s", title, more)
		return
	}
	p.headingf("%s", title)
	p.textf(0, "%s", more)
}

// inBrackets puts a reason into brackets, to follow a score; "" without a reason.
func inBrackets(rule string) string {
	if rule == "" {
		return ""
	}
	return " (" + rule + ")"
}
