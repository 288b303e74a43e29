package export

import (
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// csvWriter writes the columns' names and returns what writes a row. It is not
// encoding/csv's, which changes line ends inside a text when it ends lines as
// RFC 4180 wants.
func csvWriter(w io.Writer, row any) (func(any) error, error) {
	var names []string
	columns(reflect.TypeOf(row), func(name string, _ []int) { names = append(names, name) })
	if err := csvLine(w, names); err != nil {
		return nil, err
	}
	return func(row any) error {
		value := reflect.ValueOf(row)
		fields := make([]string, 0, len(names))
		columns(value.Type(), func(_ string, index []int) { fields = append(fields, field(value.FieldByIndex(index))) })
		return csvLine(w, fields)
	}, nil
}

// columns gives the columns of a row's type in their order.
func columns(row reflect.Type, each func(name string, index []int)) {
	for _, f := range reflect.VisibleFields(row) {
		if f.Anonymous || f.Tag.Get("csv") == "-" {
			continue
		}
		each(f.Tag.Get("json"), f.Index)
	}
}

// field is a value's text.
func field(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Time:
		return value.Format(time.RFC3339Nano)
	case *time.Time:
		if value == nil {
			return ""
		}
		return value.Format(time.RFC3339Nano)
	case float64:
		return number(value)
	case int:
		return strconv.Itoa(value)
	case bool:
		return strconv.FormatBool(value)
	}
	return guarded(v.String())
}

// number is the shortest text of a number, as JSON lines have it.
func number(x float64) string {
	if size := math.Abs(x); size != 0 && (size < 1e-6 || size >= 1e21) {
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// What a spreadsheet begins a formula with (the last four are those of East Asian
// keyboards), and what one may take for the end of a cell: the import asks, or
// guesses.
const (
	formulas   = "=+-@\t\r＝＋－＠"
	separators = ",;|\t\r\n"
)

// guarded keeps a spreadsheet from taking a text, or what it makes a cell of by its
// own separators, for a formula: an apostrophe stands before what would begin one.
// Blanks, quotes, apostrophes and what has no shape may be dropped on the way, and
// count as not there. docs/export.md says how the text is had back.
func guarded(text string) string {
	if !strings.ContainsAny(text, formulas) {
		return text
	}
	var b strings.Builder
	begins := true
	for _, r := range text {
		if begins && strings.ContainsRune(formulas, r) {
			b.WriteByte('\'')
		}
		b.WriteRune(r)
		begins = strings.ContainsRune(separators, r) || begins && (strings.ContainsRune(" '\"", r) || !unicode.IsPrint(r))
	}
	return b.String()
}

// csvLine writes one record.
func csvLine(w io.Writer, fields []string) error {
	var b strings.Builder
	for i, text := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		if strings.ContainsAny(text, separators+`"`) || strings.TrimSpace(text) != text {
			text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
		}
		b.WriteString(text)
	}
	b.WriteString("\r\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing a record: %w", err)
	}
	return nil
}
