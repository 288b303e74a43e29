package house_test

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

// documentedValue is a value that a page of the rules has in a sentence and the code has as
// a constant.
type documentedValue struct {
	constant string // package and name
	page     string // below docs/rules
	text     string // of the page, with # where the value is
	unit     float64
}

// The units of the durations: a sentence counts days, the constant nanoseconds.
const (
	second = 1e9
	day    = 24 * 3600 * second
)

// documentedValues are the numbers of the rules outside their tables. The tables are
// compared where the code reads them: package input has the registry, package tokens the
// weights.
var documentedValues = []documentedValue{
	{"shared/scoring/input.shareTolerance", "scoring.md", "all together ≤ 1 (tolerance #)", 1},
	{"shared/scoring/input.maxMaintainerCut", "scoring.md", "≥ 0, then capped at #", 1},
	{"shared/scoring/input.RecycleUID", "scoring.md", "| UID #, the recycle UID |", 1},
	{"shared/scoring/input.RecycleUID", "scoring.md", "UID # recycles", 1},
	{"shared/scoring/input.TreasuryUID", "scoring.md", "UID #, the issue treasury", 1},
	{"shared/scoring.ScoringPart", "scoring.md", "maintainer_cut × emission_share × # evenly", 1},
	{"shared/scoring.ScoringPart", "scoring.md", "scoring share × # × multiplier", 1},
	{"shared/scoring.ScoringPart", "scoring.md", "at least 0) × #, and", 1},
	{"shared/scoring.treasuryPart", "scoring.md", "the issue treasury, gets # on top", 1},
	{"shared/scoring.CloseWindow", "scoring.md", "or more than # day after it", day},
	{"shared/scoring.MaxReviewCollateral", "scoring.md", "min(#, 1 + review_penalty_rate", 1},
	{"shared/scoring/tokens.testWeight", "scoring.md", "The test weight is # for a test file", 1},
	{"shared/scoring/tokens.maxLinesScored", "scoring.md", "n = min(changes, #)", 1},
	{"shared/scoring/tokens.lineWeight", "scoring.md", "W = the extension's weight, # if not listed", 1},
	{"shared/scoring/tokens.maxTextBytes", "scoring.md", "head or base over # bytes (UTF-8)", 1},
	{"shared/scoring/tokens.MaxBase", "scoring.md", "base       = # × (1 −", 1},
	{"shared/scoring/tokens.ScoreOfFullBonus", "scoring.md", "total_score / #) ×", 1},
	{"shared/scoring/tokens.MaxBonus", "scoring.md", "total_score / 1500) × #)", 1},
	{"worker/tokenscore.parseTimeout", "scoring.md", "takes more than # s gives no nodes", second},
	{"worker/tokenscore.DefaultBudget", "scoring.md", "one pull request has # s", second},
	{"shared/mirror.maxWindows", "scoring.md", "at most # of them a request", 1},
	{"shared/mirror.maxWindows", "mirror.md", "more than # repositories", 1},
	{"shared/mirror.pageSize", "mirror.md", "always pages, with a limit of #", 1},
	{"shared/mirror.maxTries", "mirror.md", "at most # tries", 1},
	{"shared/ratelimit.DefaultLimit", "mirror.md", "**# requests per", 1},
	{"shared/ratelimit.DefaultWindow", "mirror.md", "requests per # seconds per client IP", second},
}

// A rule that says one number and code that has another are found here, and not by a
// validator whose rewards differ.
func TestRulesNameTheValuesOfTheCode(t *testing.T) {
	t.Parallel()
	code := constants(t)
	pages := map[string]string{}
	for _, d := range documentedValues {
		if pages[d.page] == "" {
			pages[d.page] = root(t, path.Join("docs/rules", d.page))
		}
		have, known := code[d.constant]
		if !known {
			t.Errorf("docs/rules/%s says %q of %s: there is no such constant with a value that this test can compute", d.page, d.text, d.constant)
			continue
		}
		before, after, _ := strings.Cut(d.text, "#")
		found := regexp.MustCompile(prose(before) + `([0-9][0-9.,]*(?:e-?[0-9]+)?|three)` + prose(after)).FindStringSubmatchIndex(pages[d.page])
		if found == nil {
			t.Errorf("%s: docs/rules/%s does not say %q of %s, which is %v", have.at, d.page, d.text, d.constant, have.value/d.unit)
			continue
		}
		line := 1 + strings.Count(pages[d.page][:found[2]], "\n")
		if says := documented(t, pages[d.page][found[2]:found[3]]); says*d.unit != have.value {
			t.Errorf("docs/rules/%s:%d says %v in %q, but %s is %v at %s", d.page, line, says, d.text, d.constant, have.value/d.unit, have.at)
		}
	}
}

// prose is a text as a pattern: a line may end wherever the text has a blank.
func prose(text string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(text), " ", `\s+`)
}

// documented is a number as the pages write it: 1,000,000, 0.05, 1e-9, or three.
func documented(t *testing.T, text string) float64 {
	t.Helper()
	if text == "three" {
		return 3
	}
	return must.Get(strconv.ParseFloat(strings.TrimRight(strings.ReplaceAll(text, ",", ""), "."), 64))(t)
}

// constantValue is a number, durations in nanoseconds, with its place in the code.
type constantValue struct {
	value float64
	at    string
}

// constants are those of the sources whose values are literals and sums or products of
// literals, by package and name.
func constants(t *testing.T) map[string]constantValue {
	t.Helper()
	all := map[string]constantValue{}
	for _, s := range sources(t) {
		if s.isTest {
			continue
		}
		for _, d := range s.file.Decls {
			group, ok := d.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				of := spec.(*ast.ValueSpec) // a declaration of constants has no other
				for i := range min(len(of.Names), len(of.Values)) {
					if value, ok := number(of.Values[i]); ok {
						at := s.path + ":" + strconv.Itoa(s.line(of.Names[i].Pos()))
						all[s.pkg+"."+of.Names[i].Name] = constantValue{value, at}
					}
				}
			}
		}
	}
	return all
}

// number is the value of a constant expression; false if it names another constant.
func number(e ast.Expr) (float64, bool) {
	text := types.ExprString(e)
	for name, value := range map[string]string{"time.Second": "1000000000", "time.Minute": "60000000000", "time.Hour": "3600000000000"} {
		text = strings.ReplaceAll(text, name, value)
	}
	v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, text)
	if err != nil || v.Value == nil || v.Value.Kind() != constant.Int && v.Value.Kind() != constant.Float {
		return 0, false
	}
	x, _ := constant.Float64Val(v.Value)
	return x, true
}
