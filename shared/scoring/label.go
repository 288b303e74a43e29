package scoring

import (
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/python"
)

// LabelReason is one label of a pull request and what became of it.
type LabelReason struct {
	Name        string `json:"name"` // lower-cased
	Association string `json:"association,omitempty"`
	Code        Code   `json:"code"`
	// Multiplier is the highest of the patterns that match, Pattern the one
	// that gives it; nil when none does.
	Multiplier *float64 `json:"multiplier,omitempty"`
	Pattern    string   `json:"pattern,omitempty"`
}

// labelChoice is the label that counts; name is "" when none does.
type labelChoice struct {
	name       string
	multiplier float64
	reasons    []LabelReason
}

// chooseLabel applies docs/rules/scoring.md#label: of the candidates, the one
// with the highest multiplier, and of equal ones the last by name.
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
			chosen, choice.name, choice.multiplier = i, reason.Name, m
		}
	}
	if chosen >= 0 {
		choice.reasons[chosen].Code = LabelChosen
	}
	return choice
}

// judgeLabel finds a label's multiplier, if it counts.
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
