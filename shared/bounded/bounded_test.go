package bounded_test

import (
	"strings"
	"testing"

	"mirrorfleet/shared/bounded"
)

// A reason is one line of so many characters, not bytes. What is wrong with another is said.
func TestCheckOrderText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          "",
		"NATS is moved, 14:00":      "",
		strings.Repeat("é", 200):    "",
		strings.Repeat("é", 201):    "201 characters",
		"two\nlines":                "character 4",
		"\x1b[2J":                   "character 1",
		"a direction \u202e turned": "character 13",
		"not UTF-8: \xff":           "in UTF-8",
	} {
		err := bounded.CheckOrderText(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// A line steers no terminal, and what was cut says so. Cutting it again changes nothing.
func TestLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                              "",
		"ten signs.":                    "ten signs.",
		"eleven sign":                   "eleven si…",
		"ééééééééééé":                   "ééééééééé…",
		"a\x1b[2J\r\n\tb":               "a [2J b",
		"\xffa\xff\u202eb\ufffd":        "a b",
		strings.Repeat("日", 1<<16):      "日日日日日日日日日…",
		strings.Repeat(" \n", 50) + "a": "a",
	} {
		got := bounded.Line(text, 10)
		if got != want || bounded.Line(got, 10) != want {
			t.Errorf("%.40q: got %q, then %q, want %q", text, got, bounded.Line(got, 10), want)
		}
	}
}

// A text keeps its lines and whole characters; one that was cut stays as it is.
func TestText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                 "",
		"two\nlines":       "two\nlines",
		"more\nthan ten":   "more\nthan  …",
		"123456789é":       "123456789 …",
		"a\xffb":           "a?b",
		"1234567890 …":     "1234567890 …",
		"1234567890 … and": "1234567890 …",
	} {
		got := bounded.Text(text, 10)
		if got != want || bounded.Text(got, 10) != want {
			t.Errorf("%q: got %q, then %q, want %q", text, got, bounded.Text(got, 10), want)
		}
	}
}
