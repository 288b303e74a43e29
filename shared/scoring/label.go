package scoring

import (
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/python"
)

// LabelReason is one label of a pull request and how it was judged.
type LabelReason struct {
	Name        string `json:"name"` // lower-cased
	Association string `json:"association,omitempty"`
	Code        Code   `json:"code"`
	// Multiplier is the highest of the patterns that match, and Pattern is the
	// pattern that has it. Multiplier is nil when no pattern matches.
	Multiplier *float64 `json:"multiplier,omitempty"`
	Pattern    string   `json:"pattern,omitempty"`
}

// labelChoice is the label that counts. Its name is "" when none counts, and the
// multiplier is then the repository's default.
type labelChoice struct {
	name       string
	multiplier float64
	reasons    []LabelReason
}

// chooseLabel applies docs/rules/scoring.md#label: it chooses the candidate with
// the highest multiplier, and among equal ones the last name in byte order. The
// multiplier is not rounded, unlike that of linked issues.
func chooseLabel(labels []Label, repo *input.Repository) labelChoice {
	choice := labelChoice{multiplier: repo.DefaultLabelMultiplier}
	chosen := -1
	for i := range labels {
		reason := judgeLabel(&labels[i], repo)
		choice.reasons = append(choice.reasons, reason)
		if reason.Multiplier == nil {
			continue
		}
		if m := *reason.Multiplier; chosen < 0 || m > choice.multiplier || m == choice.multiplier && reason.Name > choice.name {
			chosen = i
			choice.name = reason.Name
			choice.multiplier = m
		}
	}
	if chosen >= 0 {
		choice.reasons[chosen].Code = LabelChosen
	}
	return choice
}

// judgeLabel finds a label's multiplier, if the label is a candidate. Of two
// patterns with the same multiplier the first in the file is named. The code is
// LabelLower until chooseLabel has compared all candidates.
func judgeLabel(label *Label, repo *input.Repository) LabelReason {
	reason := LabelReason{Name: python.Lower(label.Name), Association: label.ActorAssociation}
	switch {
	case label.Name == "":
		reason.Code = LabelUnnamed
		return reason
	case !repo.TrustedLabelPipeline && !IsMaintainer(label.ActorAssociation):
		reason.Code = LabelUntrusted
		return reason
	}
	for i := range repo.LabelMultipliers {
		candidate := &repo.LabelMultipliers[i]
		if python.Match(candidate.Pattern, reason.Name) && (reason.Multiplier == nil || candidate.Multiplier > *reason.Multiplier) {
			reason.Multiplier, reason.Pattern = &candidate.Multiplier, candidate.Pattern
		}
	}
	reason.Code = LabelLower
	if reason.Multiplier == nil {
		reason.Code = LabelNoPattern
	}
	return reason
}
