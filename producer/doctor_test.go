package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/doctor"
)

// golden compares what is printed with what was accepted.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if flag.Lookup("update").Value.String() == "true" { // declared beside the pages of show
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got), -update accepts it:\n%s", path, diff)
	}
}

// goldenPages compares what a person and a program get.
func goldenPages(t *testing.T, name string, page interface{ render(w io.Writer) error }) {
	t.Helper()
	var text, data bytes.Buffer
	if err := page.render(&text); err != nil {
		t.Fatal(err)
	}
	if err := printJSON(&data, page); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > pageWidth {
			t.Errorf("%s: more than %d characters: %s", name, pageWidth, line)
		}
	}
	golden(t, name+".txt", text.Bytes())
	golden(t, name+".json", data.Bytes())
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
		goldenPages(t, "doctor/"+name, newDiagnosis(found))
	}
}
