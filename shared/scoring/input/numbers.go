package input

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"mirrorfleet/shared/scoring/strictjson"
)

// setting is one number of a registry with its range:
// docs/rules/scoring.md#registry.
type setting struct {
	key         string
	into        any     // the *int or *float64 that takes it, and holds the default
	low, high   float64 // high 0 means no upper bound
	aboveLow    bool    // low itself is out of range
	minPositive float64 // the smallest number above 0; 0 means any
	needed      bool    // there is no default
	nullable    bool    // null means the default
}

// maxFactor bounds the numbers that the rules multiply by, 1/maxFactor the ones
// that they divide by. A score multiplies two such numbers, and a round adds up fewer
// than 1e9 scores, so none overflows a float64 (1.8e308). The validator has no such
// bound: there, larger numbers end in infinite rewards.
const maxFactor = 1e100

// want describes the range for an error.
func (s setting) want() string {
	switch {
	case s.minPositive != 0:
		return fmt.Sprintf("a number in [%v, %v], at least %v unless it is 0", s.low, s.high, s.minPositive)
	case s.high == 0 && s.aboveLow:
		return fmt.Sprintf("a number over %v", s.low)
	case s.high == 0:
		return fmt.Sprintf("a number of %v or more", s.low)
	case s.aboveLow:
		return fmt.Sprintf("a number in (%v, %v]", s.low, s.high)
	}
	return fmt.Sprintf("a number in [%v, %v]", s.low, s.high)
}

// holds says whether a number is in range.
func (s setting) holds(x float64) bool {
	switch {
	case x > 0 && x < s.minPositive:
		return false
	case x < s.low, s.aboveLow && x == s.low, s.high != 0 && x > s.high:
		return false
	}
	return true
}

// eligibilityNumbers are the settings of eligibility. Two of them divide token scores,
// so they must be above 0.
func eligibilityNumbers(e *Eligibility) []setting {
	return []setting{
		{key: "min_valid_merged_prs", into: &e.MinValidMergedPRs},
		{key: "min_credibility", into: &e.MinCredibility, high: 1},
		{key: "excessive_pr_penalty_base_threshold", into: &e.ExcessivePRPenaltyBaseThreshold},
		{key: "open_pr_threshold_token_score", into: &e.OpenPRThresholdTokenScore, aboveLow: true}, // a divisor
		{key: "max_open_pr_threshold", into: &e.MaxOpenPRThreshold},
		{key: "min_valid_solved_issues", into: &e.MinValidSolvedIssues},
		{key: "min_issue_credibility", into: &e.MinIssueCredibility, high: 1},
		{key: "min_token_score_for_valid_issue", into: &e.MinTokenScoreForValidIssue},
		{key: "open_issue_spam_base_threshold", into: &e.OpenIssueSpamBaseThreshold},
		{key: "open_issue_spam_token_score_per_slot", into: &e.OpenIssueSpamTokenScorePerSlot, aboveLow: true}, // a divisor
		{key: "max_open_issue_threshold", into: &e.MaxOpenIssueThreshold},
	}
}

func scoringNumbers(c *Scoring) []setting {
	return []setting{
		{key: "pr_lookback_days", into: &c.PRLookbackDays, low: 1, high: 90},
		{key: "open_pr_collateral_percent", into: &c.OpenPRCollateralPercent, high: 1},
		{key: "review_penalty_rate", into: &c.ReviewPenaltyRate, high: 1, aboveLow: true},
		{key: "standard_issue_multiplier", into: &c.StandardIssueMultiplier, low: 1, high: 5},
		{key: "maintainer_issue_multiplier", into: &c.MaintainerIssueMultiplier, low: 1, high: 5},
		{key: "src_tok_saturation_scale", into: &c.SrcTokSaturationScale, low: 10, high: 500},
	}
}

func decayNumbers(d *TimeDecay) []setting {
	return []setting{
		{key: "grace_period_hours", into: &d.GracePeriodHours, high: 168},
		{key: "sigmoid_midpoint_days", into: &d.SigmoidMidpointDays, low: 1, high: 90},
		{key: "sigmoid_steepness", into: &d.SigmoidSteepness, low: 0.01, high: 5},
		{key: "min_multiplier", into: &d.MinMultiplier, high: 1},
	}
}

func (p *registryParser) eligibility(e *Eligibility, s strictjson.Field) {
	p.group(s.Key, s.Value, eligibilityNumbers(e), nil)
}

func (p *registryParser) scoring(c *Scoring, s strictjson.Field) {
	p.group(s.Key, s.Value, scoringNumbers(c), func(inner strictjson.Field) bool {
		if inner.Key != "time_decay" {
			return false
		}
		p.group(s.Key+"."+inner.Key, inner.Value, decayNumbers(&c.TimeDecay), nil)
		return true
	})
}

// group reads an object in which every key must be known: a key of the table, or
// one that other reads. null leaves all defaults. path names the object in errors,
// such as "scoring.time_decay".
func (p *registryParser) group(path string, raw json.RawMessage, table []setting, other func(strictjson.Field) bool) {
	if strictjson.IsNull(raw) {
		return
	}
	settings, err := strictjson.Object(raw, "settings")
	if err != nil {
		p.refuse(path, raw, fmt.Sprintf("an object of settings, or null (%v)", err))
		return
	}
	known := make([]string, len(table))
	inGroup := make([]setting, len(table))
	for i, s := range table {
		known[i], inGroup[i] = s.key, s
		inGroup[i].nullable = true
	}
	p.numbers(path+".", settings, inGroup)
	for _, s := range settings {
		isNumber := false
		for _, key := range known {
			isNumber = isNumber || key == s.Key
		}
		if !isNumber && (other == nil || !other(s)) {
			p.refuse(path+"."+s.Key, s.Value, "no such key; known are "+strings.Join(known, ", "))
		}
	}
}

// numbers reads the settings of a table into their variables. A setting that the file
// lacks leaves its variable, which has the default.
func (p *registryParser) numbers(prefix string, settings []strictjson.Field, table []setting) {
	for _, s := range table {
		found := false
		for _, f := range settings {
			if f.Key == s.key {
				found = true
				p.number(prefix, f, s)
			}
		}
		if !found && s.needed {
			p.refuse(prefix+s.key, []byte("missing"), s.want())
		}
	}
}

// number reads one setting into an *int or a *float64. The range is checked before a
// large whole number is cut to maxWhole, so an upper bound always applies.
func (p *registryParser) number(prefix string, f strictjson.Field, s setting) {
	if s.nullable && strictjson.IsNull(f.Value) {
		return
	}
	whole, isWhole := s.into.(*int)
	x, ok := parseNumber(f.Value, isWhole)
	if !ok || !s.holds(x) {
		p.refuse(prefix+s.key, f.Value, s.want())
		return
	}
	if isWhole {
		*whole = int(min(x, maxWhole))
		return
	}
	*s.into.(*float64) = x //nolint:forcetypeassert // every into is an int or a float64
}

// maxWhole is where whole numbers saturate. It is above any count, and the largest
// up to which a float64 has every integer.
const maxWhole = 1 << 53

// parseNumber reads a number, or a text that holds one, as Python's int() and float()
// do for the validator: int(2.9) is 2, but int("2.9") fails. A number that is not
// finite is refused: the validator would compute with infinity or NaN.
func parseNumber(raw json.RawMessage, whole bool) (x float64, ok bool) {
	text, isText := string(raw), false
	if strings.HasPrefix(text, `"`) {
		if json.Unmarshal(raw, &text) != nil {
			return 0, false
		}
		text, isText = plainDigits(strings.TrimSpace(text)), true
	}
	if text == "" || strings.Trim(text, "0123456789+-.eE") != "" || isText && whole && strings.ContainsAny(text, ".eE") {
		return 0, false
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, false // also when it is too large to be finite
	}
	if whole {
		x = math.Trunc(x)
	}
	return x, true
}

// plainDigits drops the underscores between digits. Python accepts them in a number
// that is written as text, such as "1_000".
func plainDigits(s string) string {
	var b strings.Builder
	digit := func(i int) bool { return i >= 0 && i < len(s) && s[i] >= '0' && s[i] <= '9' }
	for i := range len(s) {
		if s[i] != '_' || !digit(i-1) || !digit(i+1) {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
