package page

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/command/commandtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/terminal"
)

var _ = flag.Bool("update", false, "write the golden files anew")

// goldenPage compares what a person gets with what was accepted, and what a
// program gets with its schema.
func goldenPage[T any](t *testing.T, name, schema string, answer T, render func(io.Writer, T) error) {
	t.Helper()
	if lines := goldenLong(t, name, schema, answer, render); lines > 40 {
		t.Errorf("%s: %d lines, want them on one screen", name, lines)
	}
}

// goldenLong is goldenPage for a page that may be longer than a screen. It returns the
// number of lines.
func goldenLong[T any](t *testing.T, name, schema string, answer T, render func(io.Writer, T) error) int {
	t.Helper()
	var text, data bytes.Buffer
	place := terminal.Writer{Writer: &text, Style: terminal.Style{Width: pageWidth}}
	must.Do(t, errors.Join(render(place, answer), JSON(&data, answer)))
	lines := strings.Split(text.String(), "\n")
	if at := slices.IndexFunc(lines, func(l string) bool {
		return utf8.RuneCountInString(l) > pageWidth || strings.ContainsFunc(l, unicode.IsControl)
	}); at >= 0 {
		t.Errorf("%s: more than %d characters, or one that controls a terminal: %q", name, pageWidth, lines[at])
	}
	commandtest.Golden(t, filepath.Join("testdata", filepath.FromSlash(name)+".txt"), text.String())
	if err := webtest.Printed(schema, data.String()); err != nil {
		t.Errorf("%s: %v\n%s", name, err, data.String())
	}
	return len(lines)
}

// The pages of an installation that is well, and of one that is not.
func TestDoctorPages(t *testing.T) {
	t.Parallel()
	well := []doctor.Finding{
		{Check: "NATS server", Status: doctor.OK, Text: "nats://***@nats:4222, nats-server 2.11.4, JetStream on, messages up to 1.0 MB, 12.3 MB of files stored, one server"},
		{Check: "the mirror", Status: doctor.OK, Text: "https://mirror.gittensor.io answers 200 after 83ms, HTTP/2.0, TLS 1.3"},
	}
	ill := append([]doctor.Finding{
		{Check: "streams", Status: doctor.Fault, Code: doctor.StreamMismatch, Text: "MINER_DEAD has storage memory, want file, which cannot be changed in place", Mend: "move it"},
		{Check: "--registry", Status: doctor.Fault, Code: doctor.FileInvalid, Text: "registry.json: one rule\nanother rule with \x1b[31mcolour and " + strings.Repeat("x", 100), Mend: "correct it"},
		{Check: "Redis server", Status: doctor.Warning, Code: doctor.RedisPolicy, Text: "maxmemory-policy allkeys-lru: without maxmemory it evicts nothing yet", Mend: "set noeviction"},
	}, well...)
	for name, found := range map[string][]doctor.Finding{"well": well, "ill": ill, "warned": ill[2:]} {
		goldenPage(t, "doctor/"+name, "Diagnosis", doctor.Diagnose(found), Diagnosis)
	}
}
