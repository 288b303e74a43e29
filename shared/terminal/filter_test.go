package terminal_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/terminal"
)

// hostile has what steers a terminal: escapes, a C1 control, DEL, both directions, what
// has no width, a character beyond the first plane, and a broken one.
const hostile = "a\x1b[31m\u009b\x7f\u202ecba\u2066\u200b\ufeff\U000e0041éẞ\xff\r\n\tz"

// A document keeps its value, in whatever pieces it is written.
func TestJSONSteersNoTerminal(t *testing.T) {
	t.Parallel()
	document := must.Get(json.MarshalIndent(map[string]any{"text": hostile, "number": 1.5}, "", "  "))(t)
	for name, source := range map[string]io.Reader{
		"whole":        bytes.NewReader(document),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(document)),
	} {
		var out strings.Builder
		must.Get(io.Copy(terminal.JSON(&out), struct{ io.Reader }{source}))(t)
		if at := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); at >= 0 {
			t.Errorf("%s: %q has what steers a terminal, at %d", name, out.String(), at)
		}
		var got, want any
		must.Do(t, json.Unmarshal([]byte(out.String()), &got))
		must.Do(t, json.Unmarshal(document, &want))
		if got.(map[string]any)["text"] != want.(map[string]any)["text"] || !strings.Contains(out.String(), "éẞ") {
			t.Errorf("%s: got %s, want the value of %s", name, out.String(), document)
		}
	}
}

// Lines stay lines.
func TestTextSteersNoTerminal(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	must.Get(io.Copy(terminal.Text(&out), struct{ io.Reader }{iotest.OneByteReader(strings.NewReader(hostile + "\r\nnext\r\n"))}))(t)
	if got, want := out.String(), "a\uFFFD[31m\uFFFD\uFFFD\uFFFDcba\uFFFD\uFFFD\uFFFD\uFFFDéẞ\uFFFD\n\uFFFDz\nnext\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What a place says of itself reaches the writer.
func TestFiltersPassErrorsOn(t *testing.T) {
	t.Parallel()
	for name, filter := range map[string]func(io.Writer) io.Writer{"JSON": terminal.JSON, "Text": terminal.Text} {
		reader, writer := io.Pipe()
		must.Do(t, reader.Close())
		if n, err := filter(writer).Write([]byte("x")); n != 0 || err != io.ErrClosedPipe { //nolint:errorlint // it is passed on as it is
			t.Errorf("%s: got %d, %v, want the pipe's own error", name, n, err)
		}
	}
}
