package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode"

	"mirrorfleet/producer/export"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/page"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/terminal"
)

// hostile is a title that would reverse, hide and colour a terminal's line.
const hostile = "fix \u202egpj.exe\u2066\u200b\u009b31m\x7f\x1b[2J"

func titled() outcome.Result {
	var p scoring.PullRequestOutcome
	p.Repository = "acme/widgets"
	p.Number = 12
	p.Title = hostile
	return outcome.Result{Version: job.Version, Round: "r", Revision: 1, Outcome: scoring.Outcome{
		Rewards: []scoring.Reward{}, Miners: []scoring.MinerOutcome{{UID: 5, PullRequests: []scoring.PullRequestOutcome{p}}},
	}}
}

func steers(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) })
}

// Neither --json nor an export lets a stranger's title steer a terminal. A program still
// reads the title unchanged.
func TestNoTitleSteersATerminal(t *testing.T) {
	t.Parallel()
	stored := must.Get(json.Marshal(titled()))(t)
	exported := func(format export.Format, style terminal.Style) string {
		t.Helper()
		var out bytes.Buffer
		e := exporting{format: format, kinds: []export.Kind{export.Pulls}}
		must.Do(t, e.print(bytes.NewReader(stored), terminal.Writer{Writer: &out, Style: style}))
		return out.String()
	}

	var printed bytes.Buffer
	must.Do(t, page.JSON(&printed, titled()))
	var back outcome.Result
	must.Do(t, json.Unmarshal(printed.Bytes(), &back))
	if got := back.Outcome.Miners[0].PullRequests[0].Title; steers(printed.String()) || got != hostile {
		t.Errorf("--json: steers %t, the title reads back as %q, want %q", steers(printed.String()), got, hostile)
	}

	var row struct {
		Title string `json:"title"`
	}
	lines := exported(export.JSONLines, terminal.Style{Width: 80})
	must.Do(t, json.Unmarshal([]byte(lines), &row))
	if steers(lines) || row.Title != hostile || lines != exported(export.JSONLines, terminal.Style{}) {
		t.Errorf("JSON lines: steer %t, the title reads back as %q, want %q, and the same at a terminal as in a file", steers(lines), row.Title, hostile)
	}

	if atTerminal := exported(export.CSV, terminal.Style{Width: 80}); steers(atTerminal) || !strings.Contains(atTerminal, "fix \uFFFDgpj.exe") {
		t.Errorf("CSV at a terminal: got %q", atTerminal)
	}
	records := must.Get(csv.NewReader(strings.NewReader(exported(export.CSV, terminal.Style{}))).ReadAll())(t)
	if got := records[1][6]; got != hostile {
		t.Errorf("CSV in a file: got the title %q, want %q", got, hostile)
	}
}

// An output that cannot be written gives an error that names the operation.
func TestPrintingOnAFullDisk(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full here: %v", err)
	}
	defer full.Close()
	stored := must.Get(json.Marshal(titled()))(t)
	lines := exporting{format: export.JSONLines, kinds: export.Kinds()}
	table := exporting{format: export.CSV, kinds: []export.Kind{export.Pulls}}
	for name, err := range map[string]error{
		"--json":  page.JSON(full, titled()),
		"a round": page.Result(full, titled()),
		"export":  lines.print(bytes.NewReader(stored), full),
		"CSV":     table.print(bytes.NewReader(stored), full),
	} {
		if err == nil || !strings.Contains(err.Error(), "printing: write /dev/full: no space left on device") {
			t.Errorf("%s: got %v, want that the disk is full", name, err)
		}
	}
}
