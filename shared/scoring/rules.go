package scoring

import "slices"

// RulesVersion is the version of the rules in this code: docs/rules/history.md lists what
// each version changed. Whatever moves a score of any input raises it, and adds a change
// below.
const RulesVersion = 3

// FirstRules is the version of rounds that were planned before rules had a version.
const FirstRules = 1

// RuleChange is what a version of the rules does otherwise than the one before it.
type RuleChange struct {
	Version int    `json:"version"`
	Change  string `json:"change"`
}

// ruleChanges are ordered by version.
func ruleChanges() []RuleChange {
	return []RuleChange{
		{2, "a registry's maintainer_cut over 1 is capped at 0.5, where it was refused"},
		{2, "a sum of base scores adds its first float to integers before it without compensation, as Python's sum() does"},
		{3, "a stored pull request keeps whether its fixed base score was an integer, whatever the registry has now"},
	}
}

// RuleChanges are the changes between two versions of the rules, whichever is the later.
// A version that this code does not know has no changes to tell.
func RuleChanges(a, b int) []RuleChange {
	return slices.DeleteFunc(ruleChanges(), func(c RuleChange) bool { return c.Version <= min(a, b) || c.Version > max(a, b) })
}
