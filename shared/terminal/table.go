package terminal

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Column is one column of a table.
type Column struct {
	Title string
	// Text is aligned left, and cut if the table is too wide. Any other column has numbers:
	// they are aligned right and never cut.
	Text bool
	// Whole says that the text is never cut: it is a name that people type as it is, a time
	// or a word.
	Whole bool
	// Below says that the text moves to its own line below the row if the row has no room
	// for it.
	Below bool
}

// Cell is one value.
type Cell struct {
	Text   string
	Colour Colour
}

// Table is rows below titles.
type Table struct {
	Columns []Column
	Rows    [][]Cell
}

// Add adds a row of cells without colour.
func (t *Table) Add(texts ...string) {
	row := make([]Cell, len(texts))
	for i, text := range texts {
		row[i].Text = text
	}
	t.Rows = append(t.Rows, row)
}

// gap separates two columns, minWidth is the least width of a cut text, and indent comes
// before a text below its row.
const (
	gap      = "  "
	minWidth = 4
	indent   = "     "
)

// Write writes the table in the width and the colours that w takes.
func (t *Table) Write(w io.Writer) error {
	style := Of(w)
	widths, fit := t.widths(style.Width)
	if !fit {
		for i, column := range t.Columns {
			if column.Text && !column.Whole {
				widths[i] = min(widths[i], max(style.Width-len(indent), minWidth))
			}
		}
	}
	var b strings.Builder
	head := make([]Cell, len(t.Columns))
	for i, column := range t.Columns {
		head[i] = Cell{column.Title, Head}
	}
	t.line(&b, style, widths, head)
	for _, row := range t.Rows {
		t.line(&b, style, widths, row)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// widths are the columns' own widths, reduced until the table fits into the room. If it
// cannot fit, however its texts are cut, they are the columns' own: its rows then continue
// on the next line.
func (t *Table) widths(room int) (widths []int, fit bool) {
	widths = make([]int, len(t.Columns))
	total := len(gap) * (len(widths) - 1)
	for i, column := range t.Columns {
		widths[i] = Columns(column.Title)
		for _, row := range t.Rows {
			if i < len(row) {
				widths[i] = max(widths[i], Columns(Clean(row[i].Text)))
			}
		}
		total += widths[i]
	}
	for i, column := range t.Columns {
		if over := total - room; column.Below && room > 0 && over > 0 {
			less := min(over, widths[i]-Columns(column.Title))
			widths[i], total = widths[i]-less, total-less
		}
	}
	own := slices.Clone(widths)
	for ; room > 0 && total > room; total-- {
		widest := -1
		for i, column := range t.Columns {
			if column.Text && !column.Whole && !column.Below && widths[i] > minWidth && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return own, false // only columns that are never cut are left
		}
		widths[widest]--
	}
	return widths, true
}

// line writes one row, without blanks at its end.
func (t *Table) line(b *strings.Builder, style Style, widths []int, row []Cell) {
	pending := ""
	below := Cell{}
	at := 0
	for i, column := range t.Columns {
		cell := Cell{}
		if i < len(row) {
			cell = row[i]
		}
		text := Clean(cell.Text)
		if column.Below && Columns(text) > widths[i] {
			text, below = "", cell
		}
		text = Cut(text, widths[i])
		pad := strings.Repeat(" ", widths[i]-Columns(text))
		switch {
		case i == 0:
			at = widths[i]
		case style.Width > 0 && at+len(gap)+widths[i] > style.Width:
			pending, at = "\n"+indent, len(indent)+widths[i]
		default:
			pending, at = pending+gap, at+len(gap)+widths[i]
		}
		if !column.Text {
			pending += pad
		}
		if text != "" {
			b.WriteString(pending + style.Paint(cell.Colour, text))
			pending = ""
		}
		if column.Text {
			pending += pad
		}
	}
	b.WriteByte('\n')
	if below.Text != "" {
		b.WriteString(indent + style.Paint(below.Colour, Cut(Clean(below.Text), max(style.Width-len(indent), minWidth))) + "\n")
	}
}
