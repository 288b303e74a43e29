package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"mirrorfleet/producer/answer"
	"mirrorfleet/producer/estimate"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/terminal"
)

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
		must.Do(t, printSimulated(terminal.Writer{Writer: &out, Style: terminal.Style{Width: width}}, answer.Simulated{}))
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d characters in a line, want at most %d: %s", n, width, line)
			}
		}
	}
}

// A plan that has no miners says whether there is no round, or nobody was asked.
func TestAPlanNeedsMiners(t *testing.T) {
	t.Parallel()
	for asked, want := range map[bool]string{true: "no round is concluded yet", false: "without --nats or --local"} {
		err := take(&estimate.Input{}, round.Inputs{}, nil, asked)
		if err == nil || !strings.Contains(err.Error(), "--miners and --registry are required") || !strings.Contains(err.Error(), want) {
			t.Errorf("asked %t: got %v, want %q", asked, err, want)
		}
	}
}

// An order that fails says what is wrong with Redis, as everything else does.
func TestAnOrderSaysWhatIsWrongWithRedis(t *testing.T) {
	t.Parallel()
	err := order{egress: "eu-1"}.explain(t.Context(), nil, nil, errors.New("EOF"))
	if want := "egress eu-1: " + ratelimit.Trouble(errors.New("EOF")).Error(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}
