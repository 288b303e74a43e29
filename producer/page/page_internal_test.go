package page

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/terminal"
)

// pageAt is what a page shows on a terminal of a width.
func pageAt(t *testing.T, width int, write func(p *page)) []string {
	t.Helper()
	var out bytes.Buffer
	p := newPage(terminal.Writer{Writer: &out, Style: terminal.Style{Width: width}})
	write(p)
	must.Do(t, p.writeTo(&out))
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// A head may be longer than the page, such as the name of an egress: what is said of
// it stands below. It was a panic.
func TestAPageOfALongHead(t *testing.T) {
	t.Parallel()
	head := "  " + strings.Repeat("e", 64) + "  "
	got := pageAt(t, 40, func(p *page) { p.hangf(head, "%s", "12 permits, last used 1m ago; NOT DECLARED") })
	if len(got) < 3 || strings.TrimSpace(got[0]) != strings.TrimSpace(head) || !strings.Contains(strings.Join(got, ""), "DECLARED") {
		t.Errorf("got %q, want the whole head, and the text below", got)
	}
	for _, line := range got[1:] {
		if terminal.Columns(line) > 40 {
			t.Errorf("%q is wider than the page", line)
		}
	}
}

// The buckets of a Redis are listed at any width, whatever their names are.
func TestLimitListOfLongNames(t *testing.T) {
	t.Parallel()
	list := view.Egresses{Egresses: []view.Egress{{Egress: strings.Repeat("e", 64), Bucket: true, Undeclared: true}, {Egress: "default", Bucket: true}}}
	for _, width := range []int{1, 40, 66, 80, 140} {
		var out bytes.Buffer
		must.Do(t, Egresses(terminal.Writer{Writer: &out, Style: terminal.Style{Width: width}}, list))
		for _, want := range []string{strings.Repeat("e", 64), "default", "last used"} {
			if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
				t.Errorf("at %d columns the list has no %q:\n%s", width, want, out.String())
			}
		}
	}
}

// Characters that take two columns, or none, make no line too wide.
func TestAPageOfWideCharacters(t *testing.T) {
	t.Parallel()
	title := strings.Repeat("修正", 40) + " " + strings.Repeat("e\u0301", 90) + " 🚀\u202e\x1b[2J"
	for _, width := range []int{40, 41, 80} {
		got := pageAt(t, width, func(p *page) {
			p.headingf("%s", title)
			p.linef("%s", title)
			p.textf(4, "%s", title)
			p.titlef(title, title)
		})
		for _, line := range got {
			if columns := terminal.Columns(line); columns > width || line != terminal.Clean(line) {
				t.Errorf("at %d columns: %q takes %d", width, line, columns)
			}
		}
	}
}

// A row that a narrow terminal has no room for goes on below: no number is cut, and
// each stays below its title.
func TestRowsGoOnBelow(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newPage(terminal.Writer{Writer: &out, Style: terminal.Style{Width: 40}})
	p.linef(pullRow, "STATE", "NUMBER", "BASE", "ISSUE", "LABEL", "DECAY", "REVIEW", "SPAM", "EARNED")
	p.linef(pullRow, "merged", "#123", "0.17", "1.66", "1.00", "0.68", "1.00", "1.00", "-0.1919")
	p.linef("  merged      #14  not scored: no-scoring-data-stored")
	p.linef("%s", strings.Repeat("x", 45))
	must.Do(t, p.writeTo(&out))
	const want = "" +
		"  STATE    NUMBER     BASE  ISSUE  LABEL\n" +
		"          DECAY REVIEW   SPAM\n" +
		"              EARNED\n" +
		"  merged     #123     0.17   1.66   1.00\n" +
		"           0.68   1.00   1.00\n" +
		"             -0.1919\n" +
		"  merged      #14  not scored:\n" +
		"         no-scoring-data-stored\n" +
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n" +
		"        xxxxx\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// What the simulated mirror saw fits the terminal, as the page above it does.
func TestWhatTheMirrorSawFits(t *testing.T) {
	t.Parallel()
	for _, width := range []int{40, 80} {
		var out bytes.Buffer
		must.Do(t, Simulated(terminal.Writer{Writer: &out, Style: terminal.Style{Width: width}}, view.Simulated{}))
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d characters in a line, want at most %d: %s", n, width, line)
			}
		}
	}
}

// Figures are printed as people write them, wherever they come from.
func TestFiguresAreBrief(t *testing.T) {
	t.Parallel()
	got := because(scoring.Reason{Code: "c", Values: map[string]string{"score": "109.46000000000001", "number": "1005", "sha": "1e5", "none": ""}})
	if want := "c (none none; number 1005; score 109.46; sha 1e5)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
