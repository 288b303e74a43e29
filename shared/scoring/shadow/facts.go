package shadow

import (
	"fmt"
	"slices"
	"strings"

	"mirrorfleet/shared/scoring"
)

// fact is one thing that the mirror says and a rule reads.
type fact struct{ name, value string }

func pullFacts(p *scoring.PullRequest) []fact {
	return append(branchFacts(&scoring.SolvingPullRequest{
		AuthorID:                        p.AuthorID,
		State:                           p.State,
		MergedAt:                        p.MergedAt,
		EditedAfterMerge:                p.EditedAfterMerge,
		BaseRef:                         &p.BaseRef,
		HeadRef:                         p.HeadRef,
		HeadRepository:                  p.HeadRepository,
		DefaultBranch:                   p.DefaultBranch,
		HeadSHA:                         p.HeadSHA,
		BaseSHA:                         p.BaseSHA,
		MergeBaseSHA:                    p.MergeBaseSHA,
		MaintainerChangesRequestedCount: p.MaintainerChangesRequestedCount,
		Labels:                          p.Labels,
	}),
		fact{"author_association", p.AuthorAssociation},
		fact{"author_login", p.AuthorLogin},
		fact{"merged_by_login", p.MergedByLogin},
		fact{"created_at", instant(p.CreatedAt)},
		fact{"scoring_data_stored", fmt.Sprint(p.ScoringDataStored)},
		fact{"approved_count", fmt.Sprint(p.ApprovedCount)},
		fact{"linked_issues", linkedText(p.LinkedIssues)},
	)
}

// branchFacts are those that a pull request and the solver of an issue have in common.
func branchFacts(p *scoring.SolvingPullRequest) []fact {
	base := "none"
	if p.BaseRef != nil {
		base = *p.BaseRef
	}
	return []fact{
		{"state", string(p.State)},
		{"author_id", p.AuthorID},
		{"merged_at", instant(p.MergedAt)},
		{"edited_after_merge", fmt.Sprint(p.EditedAfterMerge)},
		{"base_ref", base},
		{"head_ref", p.HeadRef},
		{"head_repository", p.HeadRepository},
		{"default_branch", p.DefaultBranch},
		{"head_sha", p.HeadSHA},
		{"base_sha", p.BaseSHA},
		{"merge_base_sha", p.MergeBaseSHA},
		{"maintainer_changes_requested_count", fmt.Sprint(p.MaintainerChangesRequestedCount)},
		{"labels", labelsText(p.Labels)},
	}
}

func issueFacts(i *scoring.Issue) []fact {
	facts := []fact{
		{"state", string(i.State)},
		{"state_reason", i.StateReason},
		{"author_id", i.AuthorID},
		{"author_association", i.AuthorAssociation},
		{"created_at", instant(i.CreatedAt)},
		{"closed_at", instant(i.ClosedAt)},
		{"last_edited_at", instant(i.LastEditedAt)},
		{"transferred", fmt.Sprint(i.Transferred)},
		{"solved_by_pr", numberText(i.SolvedByPR)},
	}
	solver := i.Solving
	if solver == nil {
		return append(facts, fact{"solving", "none"})
	}
	facts = append(facts, fact{"solving", numberText(&solver.Number)})
	for _, f := range branchFacts(solver) {
		facts = append(facts, fact{"solving " + f.name, f.value})
	}
	return facts
}

func numberText(n *int) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprintf("#%d", *n)
}

// labelsText names labels and who has set them, sorted: their order decides nothing.
func labelsText(labels []scoring.Label) string {
	names := make([]string, len(labels))
	for i, l := range labels {
		names[i] = fmt.Sprintf("%q by %s", l.Name, orNone(l.ActorAssociation))
	}
	slices.Sort(names)
	return orNone(strings.Join(names, ", "))
}

// linkedText gives the facts of linked issues that the rules read, sorted in the same way.
func linkedText(issues []scoring.LinkedIssue) string {
	texts := make([]string, len(issues))
	for i := range issues {
		l := &issues[i]
		author := "nobody"
		if l.AuthorID != nil {
			author = *l.AuthorID
		}
		text := fmt.Sprintf("#%d %s %s of %s %s created %s closed %s solved by %s", l.Number, l.State, l.StateReason, author,
			l.AuthorAssociation, instant(l.CreatedAt), instant(l.ClosedAt), numberText(l.SolvedByPR))
		texts[i] = strings.Join(strings.Fields(text), " ")
		if l.Transferred {
			texts[i] += " transferred"
		}
	}
	slices.Sort(texts)
	return orNone(strings.Join(texts, "; "))
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// Kind is the kind of an input that differs.
type Kind string

// The kinds of inputs.
const (
	KindRegistry    Kind = "registry"
	KindWeights     Kind = "weights"
	KindWindow      Kind = "window" // how far back it lists
	KindMaintainers Kind = "maintainers"
	KindMiner       Kind = "miner"        // who takes part, and as whom
	KindStored      Kind = "stored"       // a stored evaluation stands in on one side
	KindPull        Kind = "pull request" // on one side alone, or other facts
	KindFiles       Kind = "files"        // one side could not fetch them
	KindTokens      Kind = "token score"  // of the same files
	KindIssue       Kind = "issue"
	KindOpenIssues  Kind = "open issues"
	KindNotKept     Kind = "not kept" // our round did not ask for it
)

// Setting says whether an operator must correct it: it is not an answer of the mirror that
// changed between the two rounds.
func (k Kind) Setting() bool {
	return k == KindRegistry || k == KindWeights || k == KindWindow || k == KindTokens
}

// Cause is one input that is not the same. Ours and Theirs are "" where What says all.
type Cause struct {
	Kind   Kind   `json:"kind"`
	What   string `json:"what"`
	Ours   string `json:"ours"`
	Theirs string `json:"validators"`
}

// factsApart lists the facts that differ. Both lists name the same facts, except that an issue
// may have no solver.
func factsApart(kind Kind, what string, ours, theirs []fact) []Cause {
	var list []Cause
	for _, f := range ours {
		at := slices.IndexFunc(theirs, func(other fact) bool { return other.name == f.name })
		if at >= 0 && theirs[at].value != f.value {
			list = append(list, Cause{kind, what + ": " + f.name, f.value, theirs[at].value})
		}
	}
	return list
}
