package terminal_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/terminal"
)

func sample() *terminal.Table {
	t := &terminal.Table{Columns: []terminal.Column{
		{Title: "UID"}, {Title: "WORKER", Text: true}, {Title: "SCORE"}, {Title: "NOTE", Text: true},
	}}
	t.Add("5", "host.example.org-1234", "12345.6789", "a note that goes on for longer than any terminal has room for")
	t.Rows = append(t.Rows, []terminal.Cell{{Text: "17"}, {Text: "w-2"}, {Text: "0.5"}, {Text: "failed\x1b[2J", Colour: terminal.Bad}})
	t.Add("18", "w-3", "", "")
	return t
}

// The longest texts are cut, no number is, and nothing is wider than the
// terminal.
func TestTablesFit(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]string{
		0: "" +
			"UID  WORKER                      SCORE  NOTE\n" +
			"  5  host.example.org-1234  12345.6789  a note that goes on for longer than any terminal has room for\n" +
			" 17  w-2                           0.5  failed\uFFFD[2J\n" +
			" 18  w-3\n",
		60: "" +
			"UID  WORKER                     SCORE  NOTE\n" +
			"  5  host.example.org-12…  12345.6789  a note that goes on…\n" +
			" 17  w-2                          0.5  failed\uFFFD[2J\n" +
			" 18  w-3\n",
		10: "" +
			"UID  WORK…\n" +
			"          SCORE\n" +
			"     NOTE\n" +
			"  5  host…\n" +
			"     12345.6789\n" +
			"     a no…\n" +
			" 17  w-2\n" +
			"            0.5\n" +
			"     fail…\n" +
			" 18  w-3\n",
	} {
		var out bytes.Buffer
		must.Do(t, sample().Write(terminal.Writer{Writer: &out, Style: terminal.Style{Width: width}}))
		if out.String() != want {
			t.Errorf("width %d:\n%swant\n%s", width, out.String(), want)
		}
		for line := range strings.Lines(out.String()) {
			n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n"))
			if width >= 40 && n > width || !strings.Contains(out.String(), "12345.6789") {
				t.Errorf("width %d: %d characters, or a cut number: %s", width, n, line)
			}
		}
	}
}

// A table that no cut makes fit goes on below, column by column: an operator reads
// the state of a round also at 40 columns.
func TestTablesGoOnBelow(t *testing.T) {
	t.Parallel()
	table := &terminal.Table{Columns: []terminal.Column{
		{Title: "ROUND", Text: true, Whole: true}, {Title: "DUE", Text: true, Whole: true}, {Title: "DONE"}, {Title: "TOOK"},
	}}
	table.Add("20260603t000000z-010203", "06-03 00:00", "2/3", "1m15s")
	table.Add("20260602t000000z-010203", "by hand", "21/21", "")
	var out bytes.Buffer
	must.Do(t, table.Write(terminal.Writer{Writer: &out, Style: terminal.Style{Width: 40}}))
	const want = "" +
		"ROUND                    DUE\n" +
		"      DONE   TOOK\n" +
		"20260603t000000z-010203  06-03 00:00\n" +
		"       2/3  1m15s\n" +
		"20260602t000000z-010203  by hand\n" +
		"     21/21\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// A text below its row takes the place beside it where there is room, and else a
// line of its own; the other texts are not cut for it.
func TestTextsBelowTheirRow(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]string{
		0: "" +
			"UID  WORKER  NOTE\n" +
			"  5  worker  a note that is long\n" +
			"  6  other   short\n",
		24: "" +
			"UID  WORKER  NOTE\n" +
			"  5  worker\n" +
			"     a note that is long\n" +
			"  6  other   short\n",
		20: "" +
			"UID  WORKER  NOTE\n" +
			"  5  worker\n" +
			"     a note that is…\n" +
			"  6  other   short\n",
	} {
		table := terminal.Table{Columns: []terminal.Column{{Title: "UID"}, {Title: "WORKER", Text: true}, {Title: "NOTE", Text: true, Below: true}}}
		table.Add("5", "worker", "a note that is long")
		table.Add("6", "other", "short")
		var out bytes.Buffer
		must.Do(t, table.Write(terminal.Writer{Writer: &out, Style: terminal.Style{Width: width}}))
		if out.String() != want {
			t.Errorf("width %d:\n%swant\n%s", width, out.String(), want)
		}
	}
}

// Colour paints the cell alone, and changes no column.
func TestColour(t *testing.T) {
	t.Parallel()
	var plain, colour bytes.Buffer
	must.Do(t, sample().Write(&plain))
	must.Do(t, sample().Write(terminal.Writer{Writer: &colour, Style: terminal.Style{Colour: true}}))
	got := colour.String()
	if !strings.Contains(got, "\x1b[31mfailed\uFFFD[2J\x1b[0m") || !strings.Contains(got, "\x1b[1mNOTE\x1b[0m") {
		t.Errorf("got %q, want the failure red and titles bold", got)
	}
	for _, code := range []string{"\x1b[31m", "\x1b[1m", "\x1b[0m"} {
		got = strings.ReplaceAll(got, code, "")
	}
	if got != plain.String() {
		t.Errorf("without its colours\n%swant\n%s", got, plain.String())
	}
}
