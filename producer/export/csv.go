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

// csvWriter writes the columns' names and returns a function that writes a row. It does not
// use encoding/csv: with the line ends of RFC 4180, that also changes line ends inside a
// text.
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

// columns calls each for the columns of a row's type, in the order of the fields. The names
// are those of JSON. docs/export.md promises both, so fields are only ever added at the end.
func columns(row reflect.Type, each func(name string, index []int)) {
	for _, f := range reflect.VisibleFields(row) {
		if f.Anonymous || f.Tag.Get("csv") == "-" {
			continue
		}
		each(f.Tag.Get("json"), f.Index)
	}
}

// field formats a value. A missing instant is an empty field.
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

// number is the shortest text that reads back as the same number. It changes to an exponent
// at the same sizes as encoding/json, so that both formats have the same text.
func number(x float64) string {
	if size := math.Abs(x); size != 0 && (size < 1e-6 || size >= 1e21) {
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// Characters that begin a formula in a spreadsheet (the last four are full-width forms of
// East Asian keyboards), and those that a spreadsheet may take for the end of a cell: its
// import asks for the separator, or guesses.
const (
	formulas   = "=+-@\t\r＝＋－＠"
	separators = ",;|\t\r\n"
)

// guarded keeps a spreadsheet from running a text as a formula: it writes an apostrophe
// before each character that would begin one, at the start of the text and after each
// separator. Spaces, quotes, apostrophes and invisible characters before it are skipped,
// because an import may drop them. docs/export.md says how to get the original text back.
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

// csvLine writes one record with the quotes and the line end of RFC 4180. Texts with spaces
// at an end are quoted too, because some readers trim fields without quotes.
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
