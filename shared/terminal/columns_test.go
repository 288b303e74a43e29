package terminal_test

import (
	"bytes"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/terminal"
)

func TestColumns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "abc": 3, "█▒░…": 4, "é": 1, "e\u0301": 1, "日本": 4, "ｶﾅ": 2, "＝": 2, "🚀": 2, "\uFFFD": 1, "a\u0301\u0302\u20e0": 1,
	} {
		if got := terminal.Columns(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"日本語", 6, "日本語"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"},
		{"ab cd", 4, "ab…"}, {"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
	} {
		if got := terminal.Cut(c.text, c.limit); got != c.want {
			t.Errorf("%q cut at %d: got %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}

// A title of wide characters makes no line of a table wider than the terminal, and
// moves no column.
func TestATableOfWideCharacters(t *testing.T) {
	t.Parallel()
	table := terminal.Table{Columns: []terminal.Column{{Title: "TITLE", Text: true}, {Title: "NUMBER"}}}
	table.Add(strings.Repeat("日本語", 20), "1")
	table.Add("plain", "22")
	table.Add(strings.Repeat("e\u0301", 60), "333")
	var out bytes.Buffer
	must.Do(t, table.Write(terminal.Writer{Writer: &out, Style: terminal.Style{Width: 40}}))
	for line := range strings.Lines(out.String()) {
		if got := terminal.Columns(strings.TrimSuffix(line, "\n")); got != 40 {
			t.Errorf("%q takes %d columns, want the numbers to end at 40", line, got)
		}
	}
}
