package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/export"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/command/commandtest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

var _ = flag.Bool("update", false, "write the golden files anew")

var asOf = time.Date(2026, 6, 1, 12, 30, 0, 250_000_000, time.UTC)

// odd are numbers that a careless text would change.
var odd = []float64{0.1, 1.0 / 3, 2.2250738585072014e-308, 1.7976931348623157e308, 29.616390500000003, 1e21, 123456789.123456789, 0}

// awkward are texts that a careless file would change, or that a spreadsheet
// would run.
var awkward = []string{
	"plain", `with "quotes", and commas`, "two\nlines", "two\r\nlines of Windows", "=HYPERLINK(\"http://x\",\"click\")", "+1", "-1+cmd|' /C calc'!A0",
	"@SUM(A1)", "\ttab", " spaces ", "Ünïcödé … ß", "",
}

// aRound has a miner with a pull request of each awkward title, one of each
// kind of end, and one that failed.
func aRound() outcome.Result {
	label := "bug"
	busy := scoring.MinerOutcome{
		UID: 5, Hotkey: "5F", GitHubID: "1005", PullFigures: scoring.PullFigures{Eligible: true, TotalScore: odd[4], Credibility: odd[1], TotalMergedPRs: 12},
		Issues: []scoring.IssueOutcome{
			{Repository: "acme/widgets", Number: 8, PullRequest: 30, Classification: scoring.IssueSolved, Reason: scoring.Reason{Code: scoring.IssueScores}},
			{Repository: "acme/widgets", Number: 9, Classification: scoring.IssueClosed, Reason: scoring.Reason{Code: scoring.IssueNotCompleted}},
		},
		ScoredIssues: []scoring.ScoredIssue{{Repository: "acme/widgets", Number: 8, PullRequest: 30, BaseScore: 16.55, EarnedScore: odd[1], LabelMultiplier: 1}},
		Dropped:      []scoring.Dropped{{Repository: "acme/widgets", Number: 99, State: scoring.Merged, Reason: scoring.Reason{Code: scoring.DropBaseBranch}}},
	}
	for i, title := range awkward {
		p := scoring.PullRequestOutcome{EarnedScore: odd[i%len(odd)], CollateralScore: odd[(i+1)%len(odd)]}
		p.Repository = "acme/widgets"
		p.Number = i + 1
		p.Title = title
		p.State = scoring.Open
		p.Scored = true
		p.CreatedAt = asOf
		p.BaseScore, p.Reasons.Base.Code = odd[(i+2)%len(odd)], scoring.BaseFromTokens
		if i == 0 {
			p.State = scoring.Merged
			p.MergedAt = asOf.Add(time.Hour)
			p.Label = &label
		}
		busy.PullRequests = append(busy.PullRequests, p)
	}
	return outcome.Result{
		Version: job.Version, Round: "20260601t123000z-010203", Revision: 2, AsOf: asOf, Complete: true, Planned: 1, Done: 1,
		Outcome: scoring.Outcome{
			AsOf: asOf, Sum: 0.9, Rewards: []scoring.Reward{{UID: 0, Reward: 0.1}, {UID: 5, Reward: 0.8}, {UID: 7}},
			Miners: []scoring.MinerOutcome{
				{UID: 0, Hotkey: "5Z", GitHubID: "0", Failed: input.RecycleMiner}, busy, {UID: 7, Hotkey: "=5G", GitHubID: "0", Failed: input.NoStoredToken},
			},
		},
	}
}

func stored(t *testing.T, r outcome.Result) *bytes.Reader {
	t.Helper()
	data := must.Get(json.Marshal(r))(t)
	return bytes.NewReader(data)
}

func exported(t *testing.T, format export.Format, kinds ...export.Kind) string {
	t.Helper()
	var out bytes.Buffer
	to := map[export.Kind]io.Writer{}
	for _, kind := range kinds {
		to[kind] = &out
	}
	head, err := export.Rounds{Format: format, To: to}.Write(stored(t, aRound()))
	if err != nil || head.Revision != 2 || len(head.Outcome.Miners) != 0 {
		t.Fatalf("%v, revision %d with %d miners, want 2 and none", err, head.Revision, len(head.Outcome.Miners))
	}
	return out.String()
}

// The files are the same bytes each time: columns, their order, every text.
func TestExportsAreStable(t *testing.T) {
	t.Parallel()
	for _, kind := range export.Kinds() {
		commandtest.Golden(t, filepath.Join("testdata", string(kind)+".csv"), exported(t, export.CSV, kind))
	}
	commandtest.Golden(t, filepath.Join("testdata", "all.jsonl"), exported(t, export.JSONLines, export.Kinds()...))
}

// CSV reads back by another's reader, with every number as it was.
func TestCSVReadsBack(t *testing.T) {
	t.Parallel()
	text := exported(t, export.CSV, export.Pulls)
	whole, bare := strings.Count(text, "\r\n"), strings.Count(text, "\n")-strings.Count(text, "\r\n")
	if want := 1 + len(awkward) + 1 + 1; whole != want || bare != 1 { // titles, one dropped, one line end in a text of each kind
		t.Errorf("%d line ends of RFC 4180 and %d others, want %d and 1", whole, bare, want)
	}
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(records) != 1+len(awkward)+1 {
		t.Fatalf("%d records, %v; want %d", len(records), err, 2+len(awkward))
	}
	column := map[string]int{}
	for i, name := range records[0] {
		column[name] = i
	}
	want := aRound().Outcome.Miners[1].PullRequests
	for i := range want {
		row := records[i+1]
		for name, number := range map[string]float64{
			"earned_score": want[i].EarnedScore, "collateral_score": want[i].CollateralScore, "base_score": want[i].BaseScore,
		} {
			if got, err := strconv.ParseFloat(row[column[name]], 64); err != nil || got != number {
				t.Errorf("%s of %d: %q reads back as %v, want %v", name, i, row[column[name]], got, number)
			}
		}
		title, text := row[column["title"]], strings.ReplaceAll(want[i].Title, "\r\n", "\n") // which the reader does
		if strings.ContainsAny(text[:min(1, len(text))], "=+-@\t") {
			text = "'" + text
		}
		if title != text {
			t.Errorf("title %q, want %q", title, text)
		}
	}
}

// JSON lines have every text and number as it is, and are of their schema.
func TestJSONLinesAreExact(t *testing.T) {
	t.Parallel()
	var titles []string
	var earned []float64
	kinds := map[string]int{}
	for line := range strings.Lines(exported(t, export.JSONLines, export.Kinds()...)) {
		var row struct {
			Kind    string  `json:"kind"`
			Title   string  `json:"title"`
			Dropped string  `json:"dropped"`
			Earned  float64 `json:"earned_score"`
		}
		if err := errors.Join(webtest.Printed("ExportRow", line), json.Unmarshal([]byte(line), &row)); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		if webtest.Printed("ExportRow", strings.Replace(line, `"uid"`, `"yuid"`, 1)) == nil {
			t.Errorf("a row of %s may have any field", row.Kind)
		}
		kinds[row.Kind]++
		if row.Kind == "pulls" && row.Dropped == "" {
			titles, earned = append(titles, row.Title), append(earned, row.Earned)
		}
	}
	want := map[string]int{"miners": 3, "rewards": 3, "issues": 2, "pulls": len(awkward) + 1}
	if !reflect.DeepEqual(titles, awkward) || !reflect.DeepEqual(kinds, want) {
		t.Errorf("titles %q, rows %v; want %q, %v", titles, kinds, awkward, want)
	}
	for i, got := range earned {
		if got != odd[i%len(odd)] {
			t.Errorf("earned %v, want %v", got, odd[i%len(odd)])
		}
	}
}

// The document names every column, in its order.
func TestDocumentNamesTheColumns(t *testing.T) {
	t.Parallel()
	document := must.Get(os.ReadFile("../../docs/export.md"))(t)
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(document), -1)
	var got, want []string
	for _, row := range rows {
		got = append(got, row[1])
	}
	for i, kind := range export.Kinds() {
		header, _, _ := strings.Cut(exported(t, export.CSV, kind), "\r\n")
		columns := strings.Split(header, ",")
		if i > 0 {
			columns = columns[4:] // the ones of every kind
		}
		want = append(want, columns...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("docs/export.md names\n%v, want\n%v", got, want)
	}
}

// A place that takes no more ends the export, and so does a damaged outcome.
func TestExportFails(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left")
	for _, format := range []export.Format{export.CSV, export.JSONLines} {
		_, err := export.Rounds{Format: format, To: map[export.Kind]io.Writer{export.Pulls: failing{full}}}.Write(stored(t, aRound()))
		if !errors.Is(err, full) {
			t.Errorf("%s: got %v, want %v", format, err, full)
		}
	}
	whole := must.Get(io.ReadAll(stored(t, aRound())))(t)
	for name, text := range map[string]string{
		"nothing": "", "not an object": "[]", "cut short": string(whole[:len(whole)-40]), "no outcome": `{"version":1}`,
		"no rewards": `{"version":1,"outcome":{"miners":[]}}`, "of a later version": `{"version":99,"outcome":{"rewards":[],"miners":[]}}`,
	} {
		if _, err := (export.Rounds{To: map[export.Kind]io.Writer{export.Miners: io.Discard}}).Write(strings.NewReader(text)); err == nil {
			t.Errorf("%s: taken for an outcome", name)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// What is held does not grow with the round: of 10 MB no more than a
// fraction is in memory at any time.
func TestMemoryDoesNotGrowWithTheRound(t *testing.T) { //nolint:paralleltest // it measures the process
	const (
		miners  = 32
		pulls   = 500
		maximum = 4 << 20
	)
	head := aRound()
	miner := head.Outcome.Miners[1]
	for len(miner.PullRequests) < pulls {
		miner.PullRequests = append(miner.PullRequests, miner.PullRequests[0])
	}
	one := must.Get(json.Marshal(miner))(t)
	head.Outcome.Miners = []scoring.MinerOutcome{}
	text := must.Get(json.Marshal(head))(t)
	before, after, _ := strings.Cut(string(text), `"miners":[]`)
	read, write := io.Pipe()
	go func() { // ends when all is read, or the reader is closed
		fmt.Fprint(write, before, `"miners":[`)
		for i := range miners {
			if i > 0 {
				fmt.Fprint(write, ",")
			}
			write.Write(one)
		}
		fmt.Fprint(write, "]", after)
		write.Close()
	}()
	defer read.Close()
	held := &heap{}
	held.measure()
	base := held.peak
	must.Get((export.Rounds{Format: export.CSV, To: map[export.Kind]io.Writer{export.Miners: held}}).Write(read))(t)
	t.Logf("of %d bytes %d were held at once", len(one)*miners, held.peak-base)
	if size := len(one) * miners; size < 2*maximum || held.writes < miners || held.peak-base > maximum {
		t.Errorf("of %d bytes %d were held at once, want at most %d", size, held.peak-base, maximum)
	}
}

// heap measures what is alive whenever something is written to it.
type heap struct {
	peak   uint64
	writes int
}

func (h *heap) measure() {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	h.peak = max(h.peak, stats.HeapAlloc)
}

func (h *heap) Write(data []byte) (int, error) {
	if h.writes++; h.writes%8 == 0 {
		h.measure()
	}
	return len(data), nil
}
