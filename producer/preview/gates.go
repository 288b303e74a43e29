package preview

import (
	"fmt"
	"strconv"
	"strings"

	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// State says how a gate was judged.
type State string

// The states of a gate. Unknown is what only a pull request decides.
const (
	Passed  State = "passed"
	Failed  State = "failed"
	Unknown State = "unknown"
)

// Gate is one condition on the way to a reward: what is there, if that is known, and what
// is required.
type Gate struct {
	Name     string `json:"name"`
	State    State  `json:"state"`
	Value    string `json:"value,omitempty"`
	Required string `json:"required"`
}

func judged(name string, holds bool, value, required string) Gate {
	state := Passed
	if !holds {
		state = Failed
	}
	return Gate{name, state, value, required}
}

func unknown(name, format string, args ...any) Gate {
	return Gate{Name: name, State: Unknown, Required: fmt.Sprintf(format, args...)}
}

// gates are the conditions in the order in which a round applies them; those that are
// not known before the pull request come last.
func gates(p *Preview, in *Input) []Gate {
	return append(known(p, in), later(in)...)
}

// known are the gates that the change itself decides.
func known(p *Preview, in *Input) []Gate {
	repo := in.Repository
	var files, late int
	var token float64
	if in.Figures != nil {
		files, token = len(in.Figures.Files), in.Figures.TokenScore
		for i := range in.Figures.Files {
			if in.Figures.Files[i].OutOfTime {
				late++
			}
		}
	}
	list := []Gate{
		judged("repository", repo.EmissionShare > 0, "emission share "+number(repo.EmissionShare), "registered, with a share above 0"),
		judged("scored", p.Scored, plural.Of(files, "file"), "at least 1 file, or a fixed base score"),
	}
	if files > 0 {
		value := "all files in time"
		switch {
		case in.Lacks != "":
			value = in.Lacks
		case late > 0:
			value = plural.Of(late, "file") + " out of time"
		}
		list = append(list, judged("budget", in.Lacks == "" && late == 0, value,
			"2 s of processor time a text, 10 s for all"))
	}
	least := repo.Eligibility.MinTokenScoreForValidIssue
	list = append(list, judged("solved issue", token >= least, "token score "+number(token),
		number(least)+" or more, for an issue that it solves to count as valid"))
	if len(in.Assumed.Labels) > 0 {
		list = append(list, judged("label", p.Label != nil, labelsText(p.Labels), "a label that the repository gives a multiplier"))
	}
	return list
}

// labelsText says how each label was judged.
func labelsText(labels []scoring.LabelReason) string {
	texts := make([]string, len(labels))
	for i := range labels {
		texts[i] = fmt.Sprintf("%q %s", labels[i].Name, labels[i].Code)
	}
	return strings.Join(texts, ", ")
}

// later are the gates that need more than the change: docs/rules/scoring.md#merge-gate,
// docs/rules/scoring.md#multipliers and docs/rules/scoring.md#evaluation.
func later(in *Input) []Gate {
	repo := in.Repository
	e, s := &repo.Eligibility, &repo.Scoring
	var list []Gate
	if len(in.Foreign) > 0 {
		list = append(list, unknown("encoding", "GitHub may read %s otherwise, whose text is not UTF-8: %s",
			plural.Of(len(in.Foreign), "file"), plural.Some(in.Foreign, 3)))
	}
	list = append(list,
		unknown("author", "no OWNER, MEMBER or COLLABORATOR of the repository"),
		unknown("merge", "merged by another account than the author's, or approved by one"),
		unknown("base branch", "the default branch%s", orBranches(repo.AdditionalBranches)),
		unknown("head branch", "none of these, if it is in the same repository"),
	)
	if len(repo.LabelMultipliers) > 0 {
		list = append(list, unknown("label", "%s", labelRule(repo)))
	}
	if in.Assumed.Issue != "" {
		list = append(list, unknown("linked issue", "of another author, created before the pull request, closed as completed by its merge "+
			"within a day; no edit of the pull request after the merge"))
	}
	return append(list,
		unknown("review", "each request for changes by a maintainer costs %s of the score", number(s.ReviewPenaltyRate)),
		unknown("time", "full worth for %d h after the merge, half after %s days, counted for %d days",
			s.TimeDecay.GracePeriodHours, number(s.TimeDecay.SigmoidMidpointDays), s.PRLookbackDays),
		unknown("eligibility", "%s of the author in the repository, and credibility %s: merged / (merged + closed)",
			plural.Of(e.MinValidMergedPRs, "merged pull request"), number(e.MinCredibility)),
		unknown("open pull requests", "%s", openText(e)),
	)
}

func openText(e *input.Eligibility) string {
	return fmt.Sprintf("at most %d of the author in the repository, and one more for each %s of token score, up to %d",
		e.ExcessivePRPenaltyBaseThreshold, number(e.OpenPRThresholdTokenScore), e.MaxOpenPRThreshold)
}

// labelRule says which labels count, and what they give.
func labelRule(repo *input.Repository) string {
	gives := make([]string, len(repo.LabelMultipliers))
	for i, l := range repo.LabelMultipliers {
		gives[i] = fmt.Sprintf("%q x %s", l.Pattern, number(l.Multiplier))
	}
	by := "a maintainer"
	if repo.TrustedLabelPipeline {
		by = "anybody"
	}
	return fmt.Sprintf("set by %s: %s; x %s without one that counts", by, plural.Some(gives, 6), number(repo.DefaultLabelMultiplier))
}

func orBranches(globs []string) string {
	if len(globs) == 0 {
		return ""
	}
	return " or " + strings.Join(globs, ", ")
}

// number is a number as people read it.
func number(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
