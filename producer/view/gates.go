package view

import (
	"fmt"
	"strconv"
	"strings"

	"mirrorfleet/shared/scoring"
)

// Requirement is one condition: what was found, and what the rules want.
type Requirement struct {
	Name     string `json:"name"`
	Value    string `json:"value"`
	Required string `json:"required"`
	Met      bool   `json:"met"`
}

// pullGates are the conditions under which merged pull requests earn in a repository, issueGates
// those under which issues do: docs/rules/scoring.md#evaluation, docs/rules/scoring.md#earnings.
func pullGates(g *scoring.Gate) []Requirement  { return gates(g, "merged", "open pull requests") }
func issueGates(g *scoring.Gate) []Requirement { return gates(g, "valid solved issues", "open issues") }

// gates reads a gate. Spam is looked at only where the other conditions are met.
func gates(g *scoring.Gate, counted, open string) []Requirement {
	if g == nil {
		return []Requirement{}
	}
	list := []Requirement{
		atLeast(counted, float64(g.Count), float64(g.Minimum)),
		atLeast("credibility", g.Credibility, g.MinCredibility),
	}
	if g.OpenThreshold == nil {
		return append(list, Requirement{
			Name:     open,
			Value:    strconv.Itoa(g.Open),
			Required: "looked at only when all else is met",
			Met:      true,
		})
	}
	return append(list, Requirement{
		Name:     open,
		Value:    strconv.Itoa(g.Open),
		Required: fmt.Sprintf("at most %d", *g.OpenThreshold),
		Met:      g.Open <= *g.OpenThreshold,
	})
}

func atLeast(name string, value, least float64) Requirement {
	return Requirement{
		Name:     name,
		Value:    short(value, scoreDigits),
		Required: "at least " + short(least, scoreDigits),
		Met:      value >= least,
	}
}

// gateFormulas derive what the gate of a side compares, and the factor of what is open.
func gateFormulas(g *scoring.Gate, credibility term, open string) []Formula {
	if g == nil {
		return nil
	}
	list := []Formula{formulaOf("credibility", g.Credibility, scoreDigits, credibility)}
	if g.OpenThreshold == nil {
		return list
	}
	slots := call("floor", call("/", called("token score", g.TokenScore), num(g.OpenPerSlot)))
	list = append(list, formulaOf(open+" allowed", float64(*g.OpenThreshold), 0,
		call("min", call("+", whole("", g.OpenBase), slots), whole("", g.MaxOpen))))
	// The factor has two values, and no formula.
	note := fmt.Sprintf("%d are open (required: at most %d)", g.Open, *g.OpenThreshold)
	return append(list, formulaOf(open+" factor", g.SpamMultiplier, 0, num(g.SpamMultiplier)).noted(note))
}

// share is a part of a whole, 0 of nothing.
func share(part term, rest term) term {
	if part.x+rest.x == 0 {
		return num(0)
	}
	return call("/", part, call("+", part, rest))
}

// DropGates reads the rule that has dropped a pull request: docs/rules/scoring.md#loading and
// docs/rules/scoring.md#merge-gate.
func DropGates(d *scoring.Dropped) []Requirement {
	values := d.Reason.Values
	one := func(name, value, required string) []Requirement {
		if value == "" {
			value = "none"
		}
		return []Requirement{{Name: name, Value: value, Required: required}}
	}
	switch d.Reason.Code { //nolint:exhaustive // the other codes drop nothing
	case scoring.DropUnknownRepository:
		return one("repository", d.Repository, "one of the registry")
	case scoring.DropMaintainer:
		return one("author_association", values["author_association"], "none of OWNER, MEMBER, COLLABORATOR")
	case scoring.DropUnknownState:
		return one("state", string(d.State), "MERGED, OPEN or CLOSED")
	case scoring.DropNoMergedAt:
		return one("merged_at", "", "an instant")
	case scoring.DropSelfMerged:
		return one("approved_count", values["approved_count"], "at least 1, because its author "+values["author"]+" merged it")
	case scoring.DropBaseBranch:
		return one("base_ref", values["base_ref"], branchesText(values["acceptable"], "one of "))
	case scoring.DropHeadBranch:
		return one("head_ref", values["head_ref"], branchesText(values["acceptable"], "none of "))
	}
	return []Requirement{}
}

// branchesText names branches; one alone stands by itself.
func branchesText(acceptable, several string) string {
	if !strings.Contains(acceptable, ", ") && several == "one of " {
		return acceptable
	}
	return several + acceptable
}
