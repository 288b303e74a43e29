package whatif

import (
	"fmt"
	"slices"
	"strings"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/python"
)

// label sets or removes a label, in the lists and where issues name the pull request. Labels
// are compared without case, as the rules compare them. One that a stranger has set counts for
// nothing, so a maintainer may still set it. Where one answer has it already and another lacks
// it, only the other one changes.
func label(c Change, pulls []*scoring.PullRequest, solvers []*scoring.SolvingPullRequest) error {
	lists := make([]*[]scoring.Label, 0, len(pulls)+len(solvers))
	for _, pr := range pulls {
		lists = append(lists, &pr.Labels)
	}
	for _, solver := range solvers {
		lists = append(lists, &solver.Labels)
	}
	changed := false
	for _, list := range lists {
		same := func(l scoring.Label) bool { return python.Lower(l.Name) == python.Lower(c.Label) }
		at := slices.IndexFunc(*list, same)
		switch {
		case c.Kind == Unlabel && at >= 0:
			*list = slices.DeleteFunc(*list, same)
		case c.Kind == Label && at < 0:
			*list = append(*list, scoring.Label{Name: c.Label, ActorAssociation: association})
		case c.Kind == Label && !scoring.IsMaintainer((*list)[at].ActorAssociation):
			(*list)[at].ActorID, (*list)[at].ActorAssociation = "", association // now by a maintainer
		default:
			continue
		}
		changed = true
	}
	switch {
	case changed:
		return nil
	case c.Kind == Unlabel:
		return impossible("it has no label %q; its labels are %s", c.Label, labelsOf(*lists[0]))
	}
	return impossible("it has the label %q already", c.Label)
}

func labelsOf(list []scoring.Label) string {
	if len(list) == 0 {
		return "none"
	}
	names := make([]string, len(list))
	for i := range list {
		names[i] = fmt.Sprintf("%q", list[i].Name)
	}
	return strings.Join(names, ", ")
}

// link has a pull request close an issue. Of one that is filed, the round must know what the
// rules read.
func (w *world) link(c Change, pulls []*scoring.PullRequest) error {
	if len(pulls) == 0 {
		return impossible("no miner of the round has it in its list")
	}
	for _, pr := range pulls {
		if c.New != "" {
			pr.LinkedIssues = append(pr.LinkedIssues, c.New.linked(pr))
			continue
		}
		if slices.ContainsFunc(pr.LinkedIssues, func(l scoring.LinkedIssue) bool { return l.Number == c.Issue }) {
			return impossible("it closes issue #%d already", c.Issue)
		}
		issue, found := w.known(Item{c.Item.Repository, c.Issue})
		if !found {
			return &NotKeptError{What: []string{fmt.Sprintf("issue %s#%d (no answer of the round has it; a new one is written %s or %s)",
				c.Item.Repository, c.Issue, ByMaintainer, ByOther)}}
		}
		pr.LinkedIssues = append(pr.LinkedIssues, issue)
	}
	return nil
}

// known is an issue as a pull request that closes it would have it. A pull request that closes
// it already has it in this very form; the list of its author has the same facts in another.
func (w *world) known(item Item) (scoring.LinkedIssue, bool) {
	if found := w.links(item); len(found) > 0 {
		return *found[0], true
	}
	found := w.issues(item)
	if len(found) == 0 {
		return scoring.LinkedIssue{}, false
	}
	issue := found[0].issue
	linked := scoring.LinkedIssue{
		Number:            issue.Number,
		Title:             issue.Title,
		State:             issue.State,
		StateReason:       issue.StateReason,
		AuthorAssociation: issue.AuthorAssociation,
		CreatedAt:         issue.CreatedAt,
		ClosedAt:          issue.ClosedAt,
		Transferred:       issue.Transferred,
		SolvedByPR:        issue.SolvedByPR,
	}
	if issue.AuthorID != "" {
		author := issue.AuthorID
		linked.AuthorID = &author
	}
	return linked, true
}

// unlink has a pull request no longer close an issue. The issue itself stays as it is: the
// mirror says by itself who solved it.
func unlink(c Change, pulls []*scoring.PullRequest) error {
	unlinked := false
	for _, pr := range pulls {
		kept := slices.DeleteFunc(pr.LinkedIssues, func(l scoring.LinkedIssue) bool { return l.Number == c.Issue })
		unlinked = unlinked || len(kept) < len(pr.LinkedIssues)
		pr.LinkedIssues = kept
	}
	if !unlinked {
		return impossible("it does not close issue #%d", c.Issue)
	}
	return nil
}
