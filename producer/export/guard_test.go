package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode"

	"mirrorfleet/producer/export"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
)

// titled exports a pull request of this title.
func titled(t *testing.T, title string) string {
	t.Helper()
	var p scoring.PullRequestOutcome
	p.Repository = "acme/widgets"
	p.Number = 1
	p.Title = title
	r := aRound()
	r.Outcome = scoring.Outcome{AsOf: asOf, Rewards: []scoring.Reward{}, Miners: []scoring.MinerOutcome{
		{UID: 5, Hotkey: "5F", GitHubID: "1005", PullRequests: []scoring.PullRequestOutcome{p}},
	}}
	return written(t, r)
}

func written(t *testing.T, r outcome.Result) string {
	t.Helper()
	var out bytes.Buffer
	must.Get(export.Rounds{Format: export.CSV, To: map[export.Kind]io.Writer{export.Pulls: &out}}.Write(stored(t, r)))(t)
	return out.String()
}

// cells are what a spreadsheet makes of a file, with a separator of its own: it heeds
// quotes where a cell begins, or does not know them.
func cells(t *testing.T, text string, separator rune, quotes bool) (all []string) {
	t.Helper()
	if !quotes {
		return strings.FieldsFunc(text, func(r rune) bool { return r == separator || r == '\n' || r == '\r' })
	}
	reader := csv.NewReader(strings.NewReader(strings.ReplaceAll(text, "\r", "\n")))
	reader.Comma = separator
	reader.LazyQuotes = true
	reader.FieldsPerRecord = -1
	for {
		record, err := reader.Read()
		if err == io.EOF {
			return all
		}
		must.Do(t, err)
		all = append(all, record...)
	}
}

// runs says whether a spreadsheet may take a cell for a formula, whatever it drops of
// its beginning.
func runs(cell string) bool {
	cell = strings.TrimLeftFunc(cell, func(r rune) bool { return r == '"' || r == ' ' || !unicode.IsPrint(r) && r != '\t' && r != '\r' })
	return cell != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", []rune(cell)[0])
}

// formulasOf are titles with which a stranger would run something.
func formulasOf() []string {
	var titles []string
	for _, before := range []string{
		"", " ", "\u200b", "\u00a0", `"`, `";`, "x;", "x,", "x|", "x\t", "x\n", "x\r", "x\r\n", "x; ", "x;\"", "x;\"\"", "x;'", "'", "''", "x,;|", "\t", "x\u2028",
	} {
		for _, formula := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠1", "=HYPERLINK(\"http://x;=2\";\"a,=3\")"} {
			titles = append(titles, before+formula)
		}
	}
	return titles
}

// No spreadsheet runs a title, whichever separator it takes.
func TestSpreadsheetsRunNoTitle(t *testing.T) {
	t.Parallel()
	for _, title := range formulasOf() {
		_, text, _ := strings.Cut(titled(t, title), "\r\n") // the columns' names
		for _, separator := range ",;|\t" {
			for _, quotes := range []bool{true, false} {
				for _, cell := range cells(t, text, separator, quotes) {
					if runs(cell) {
						t.Errorf("title %q, separator %q, quotes heeded %t: the cell %q is run", title, separator, quotes, cell)
					}
				}
			}
		}
	}
}

// Numbers stay numbers, negative ones too.
func TestNumbersAreNotGuarded(t *testing.T) {
	t.Parallel()
	r := aRound()
	r.Outcome.Miners[1].PullRequests = r.Outcome.Miners[1].PullRequests[:1]
	r.Outcome.Miners[1].PullRequests[0].EarnedScore = -0.5
	r.Outcome.Miners[1].PullRequests[0].CollateralScore = -1e-9
	if text := written(t, r); !strings.Contains(text, ",-0.5,-1e-09\r\n") {
		t.Errorf("got %s, want -0.5 and -1e-09 as they are", text)
	}
}

// The text is had back as the document says: by its own lines.
func TestTheDocumentUndoesTheGuard(t *testing.T) {
	t.Parallel()
	document := string(must.Get(os.ReadFile("../../docs/export.md"))(t))
	_, code, _ := strings.Cut(document, "```python\n")
	code, _, found := strings.Cut(code, "```")
	if !found {
		t.Fatal("docs/export.md has no Python code")
	}
	titles := append(formulasOf(), awkward...)
	titles = append(titles, "fix: a - b, c; d", "it's", "'quoted'", "a,'-b", "a - b", "e=mc²")
	guarded := make([]string, len(titles))
	// It is cut out: the library's reader changes line ends inside a text.
	const before = ",acme/widgets,1,"
	_, after, _ := strings.Cut(titled(t, ""), before)
	for i, title := range titles {
		_, line, _ := strings.Cut(titled(t, title), before)
		field := strings.TrimSuffix(line, after)
		if unquoted, is := strings.CutPrefix(field, `"`); is {
			field = strings.ReplaceAll(strings.TrimSuffix(unquoted, `"`), `""`, `"`)
		}
		guarded[i] = field
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-c", code+"\nimport json, sys\nprint(json.dumps([unguarded(t) for t in json.load(sys.stdin)]))")
	cmd.Stdin = bytes.NewReader(must.Get(json.Marshal(guarded))(t))
	cmd.Stderr = os.Stderr
	var got []string
	must.Do(t, json.Unmarshal(must.Get(cmd.Output())(t), &got))
	if !slices.Equal(got, titles) {
		for i := range titles {
			if i >= len(got) || got[i] != titles[i] {
				t.Errorf("%q was written as %q and is had back as %q", titles[i], guarded[i], got[min(i, len(got)-1)])
			}
		}
	}
	for _, title := range []string{"fix: a - b, c; d", "it's", "a - b", "e=mc²"} {
		if !slices.Contains(guarded, title) {
			t.Errorf("%q was guarded: it begins no formula", title)
		}
	}
}
