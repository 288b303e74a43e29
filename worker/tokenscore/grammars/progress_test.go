package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

// A first build takes minutes: it says how far it is. A terminal has one line that
// is redrawn and removed; a log has whole lines.
func TestProgress(t *testing.T) {
	t.Parallel()
	build := func(terminal bool) string {
		var out bytes.Buffer
		p := &progress{out: &out, terminal: terminal}
		d := &download{Reader: io.LimitReader(strings.NewReader(strings.Repeat("x", 25<<20)), largest), progress: p, size: 25 << 20}
		must.Get(io.Copy(io.Discard, d))(t)
		for range 67 {
			p.grammar(67)
		}
		p.clear()
		return out.String()
	}
	plain := build(false)
	lines := strings.Split(strings.TrimSuffix(plain, "\n"), "\n")
	if len(lines) != 2+67 || lines[0] != "grammars: downloaded 10 of 25 MB" || lines[2] != "grammars: compiled 1 of 67" ||
		lines[68] != "grammars: compiled 67 of 67" || strings.ContainsAny(plain, "\r\x1b") {
		t.Errorf("a log has %q", plain)
	}
	drawn := build(true)
	for _, want := range []string{"\rgrammars: downloaded 3 of 25 MB\x1b[K", "\rgrammars: compiled 1 of 67\x1b[K", "\rgrammars: compiled 67 of 67\x1b[K"} {
		if !strings.Contains(drawn, want) {
			t.Errorf("a terminal has no %q in %q", want, drawn)
		}
	}
	if strings.Contains(drawn, "\n") || !strings.HasSuffix(drawn, "\r\x1b[K") {
		t.Errorf("a terminal has %q, want one line that is removed", drawn)
	}
}
