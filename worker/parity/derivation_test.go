package parity_test

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/terminal"
)

// derived is a line of a page that derives a figure.
var derived = regexp.MustCompile(`^ *([a-z][a-z0-9# ]*?) (-?[0-9]+(?:\.([0-9]+))?) = ([^:]+?)(?::.*)?$`)

// TestScoresAreDerivedFromWhatIsShown reads the formulas of every pull request and every miner
// of every case back from their pages, computes them, and comes to the outcome's figures.
func TestScoresAreDerivedFromWhatIsShown(t *testing.T) { //nolint:tparallel // the group of subtests ends before they are counted
	t.Parallel()
	parser := startScorer(t)
	var lines, pulls atomic.Int64
	t.Run("cases", func(t *testing.T) {
		for _, file := range must.Get(caseFiles(casesDir()))(t) {
			t.Run(caseName(file), func(t *testing.T) {
				t.Parallel()
				_, rounds := roundsOf(t, parser, file)
				for i, r := range rounds {
					result := outcome.Result{Round: fmt.Sprint(i), AsOf: r.outcome.AsOf, Outcome: r.outcome}
					for at := range r.outcome.Miners {
						m := &r.outcome.Miners[at]
						lines.Add(derivedMiner(t, &result, m))
						for _, name := range view.PullsOf(m) {
							lines.Add(derivedPull(t, &result, m, name))
							pulls.Add(1)
						}
					}
				}
			})
		}
	})
	t.Logf("%d figures were derived, of %d pull requests", lines.Load(), pulls.Load())
	if lines.Load() == 0 {
		t.Error("no page derives anything")
	}
}

// derivedPull derives one pull request.
func derivedPull(t *testing.T, r *outcome.Result, m *scoring.MinerOutcome, name view.PullName) int64 {
	t.Helper()
	a := must.Get(view.PullIn(r, m, name))(t)
	a.NoFiles = "not of interest here"
	where := fmt.Sprintf("round %s, miner %d, %s", r.Round, m.UID, name)
	figures, n := figuresOn(t, where, func(w terminal.Writer) error { return page.Pull(w, a) })
	p := a.PullRequest
	if p == nil || !p.Scored {
		return n
	}
	want := map[string]float64{"base score": p.BaseScore, "issue multiplier": p.IssueMultiplier}
	switch p.State {
	case scoring.Closed: // it earns nothing
	case scoring.Open:
		want["collateral"] = p.CollateralScore
	case scoring.Merged:
		want["time decay"], want["review quality"] = p.TimeDecayMultiplier, p.ReviewQualityMultiplier
		if p.EarnedScore != 0 || a.Derivation.Zero == "" {
			want["earned"] = p.EarnedScore
		}
		fallsTo(t, where, a.Derivation.Waterfall, p.EarnedScore)
	}
	if p.EarnedScore == 0 && p.State != scoring.Open && a.Derivation.Zero == "" {
		t.Errorf("%s: nothing names the gate that makes it 0", where)
	}
	for figure, value := range want {
		if shown, ok := figures[figure]; !ok || !isShown(value, shown) {
			t.Errorf("%s: %s is shown as %q, the outcome has %v", where, figure, shown, value)
		}
	}
	return n
}

// derivedMiner derives what a miner has in its repositories, and its reward.
func derivedMiner(t *testing.T, r *outcome.Result, m *scoring.MinerOutcome) int64 {
	t.Helper()
	a := view.MinerFrom(r, m)
	where := fmt.Sprintf("round %s, miner %d", r.Round, m.UID)
	_, n := figuresOn(t, where, func(w terminal.Writer) error { return page.Miner(w, a) })
	for i := range m.Repositories {
		repo, d := &m.Repositories[i], &a.Derivation[i]
		if len(d.Pulls.Waterfall) > 0 {
			fallsTo(t, where+" "+repo.Repository, d.Pulls.Waterfall, repo.TotalScore)
		}
		if repo.PullGate != nil && repo.TotalScore == 0 && d.Pulls.Zero == "" {
			t.Errorf("%s %s: nothing names the gate that makes its score 0", where, repo.Repository)
		}
		for _, pays := range a.Rewards.Repositories {
			if pays.Repository != repo.Repository || len(d.Pulls.Waterfall) == 0 || d.Pulls.Waterfall[0].Reward == nil {
				continue
			}
			sum := 0.0
			for _, step := range d.Pulls.Waterfall {
				sum += *step.Reward
			}
			if math.Abs(sum-pays.Pulls.Reward) > tolerance {
				t.Errorf("%s %s: the steps' rewards come to %v, it is paid %v", where, repo.Repository, sum, pays.Pulls.Reward)
			}
		}
	}
	return n
}

// tolerance is how far the sum of a waterfall's steps may be off: each step is a difference
// that was rounded.
const tolerance = 1e-9

// fallsTo holds that the steps of a waterfall lead to a score.
func fallsTo(t *testing.T, where string, steps []view.Step, score float64) {
	t.Helper()
	sum := 0.0
	for _, step := range steps {
		sum += step.Gave
	}
	if last := steps[len(steps)-1].Score; math.Abs(last-score) > tolerance || math.Abs(sum-score) > tolerance {
		t.Errorf("%s: the waterfall ends at %v, its steps come to %v, the outcome has %v", where, last, sum, score)
	}
}

// figuresOn computes each formula of a page, and compares it with the figure beside it.
func figuresOn(t *testing.T, where string, write func(terminal.Writer) error) (figures map[string]string, n int64) {
	t.Helper()
	var out bytes.Buffer
	const wide = 100_000 // no line is broken
	must.Do(t, write(terminal.Writer{Writer: &out, Style: terminal.Style{Width: wide}}))
	figures = map[string]string{}
	for line := range strings.Lines(out.String()) {
		parts := derived.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if parts == nil {
			continue
		}
		f := formula{text: parts[4]}
		if got := f.sum(); f.text != "" || !isShown(got, parts[2]) {
			t.Errorf("%s: %q comes to %v (left: %q), want %s", where, line, got, f.text, parts[2])
		}
		figures[parts[1]] = parts[2]
		n++
	}
	return figures, n
}

// isShown says whether a number is rounded to the digits of a text. Zero has no sign.
func isShown(x float64, text string) bool {
	_, digits, _ := strings.Cut(text, ".")
	got := strconv.FormatFloat(x, 'f', len(digits), 64)
	return got == text || strings.Trim(got+text, "-0.") == ""
}

// formula is what is left to read of a formula.
type formula struct{ text string }

// takes reads a text, if it comes next.
func (f *formula) takes(text string) bool {
	rest, found := strings.CutPrefix(strings.TrimLeft(f.text, " "), text)
	if found {
		f.text = rest
	}
	return found
}

func (f *formula) sum() float64 {
	x := f.product()
	for {
		switch {
		case f.takes("+ "):
			x += f.product()
		case f.takes("- "):
			x -= f.product()
		default:
			return x
		}
	}
}

func (f *formula) product() float64 {
	x := f.factor()
	for {
		switch {
		case f.takes("x "):
			x *= f.factor()
		case f.takes("/ "):
			x /= f.factor()
		default:
			return x
		}
	}
}

// list reads what stands in a bracket.
func (f *formula) list() []float64 {
	list := []float64{f.sum()}
	for f.takes(",") {
		list = append(list, f.sum())
	}
	if !f.takes(")") {
		f.text = "no bracket closes: " + f.text
	}
	return list
}

var (
	aNumber = regexp.MustCompile(`^ *(-?[0-9]+(?:\.[0-9]+)?)`)
	aWord   = regexp.MustCompile(`^ *[a-z]+ `)
)

// factor reads a number, a function or a bracket. Words before a number name it.
func (f *formula) factor() float64 {
	for {
		switch {
		case f.takes("("):
			return f.list()[0]
		case f.takes("min("):
			list := f.list()
			return math.Min(list[0], list[1])
		case f.takes("max("):
			list := f.list()
			return math.Max(list[0], list[1])
		case f.takes("floor("):
			return math.Floor(f.list()[0])
		case f.takes("e^("):
			return math.Exp(f.list()[0])
		case f.takes("round2("):
			x, _ := strconv.ParseFloat(strconv.FormatFloat(f.list()[0], 'f', 2, 64), 64)
			return x
		}
		if number := aNumber.FindStringSubmatch(f.text); number != nil {
			f.text = f.text[len(number[0]):]
			x, _ := strconv.ParseFloat(number[1], 64)
			return x
		}
		word := aWord.FindString(f.text)
		if word == "" {
			return math.NaN()
		}
		f.text = f.text[len(word):]
	}
}
