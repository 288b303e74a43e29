package whatif

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/python"
)

// By says who can make a change.
type By string

// Who can.
const (
	Owner      By = "owner"      // of the pull request or the issue: the miner
	Repository By = "repository" // its maintainers, who decide
)

// Lever is one change that would raise a miner's reward.
type Lever struct {
	Change Change
	By     By
	// Reward is the miner's with the change, Gain how much more that is.
	Reward, Gain float64
}

// Levers are the changes that would raise a miner's reward, the largest gain first.
type Levers struct {
	List []Lever
	// Tried counts the changes that were tried, Untried those beyond the bound.
	Tried, Untried int
	// NotKept names what the round did not keep of changes that might help.
	NotKept []string
}

// The bounds of levers. Each change that is tried concludes the round once.
const (
	maxTried  = 80
	maxLevers = 10
)

// candidate is a change that may help.
type candidate struct {
	change Change
	by     By
}

// LeversOf finds a miner's levers, each by itself, by making the change. Those of its owner are
// tried first.
func LeversOf(in scoring.RoundInput, uid int) Levers {
	e, there := in.Evaluations[uid]
	if !there {
		return Levers{}
	}
	all := candidates(&in, &e)
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.by, b.by) }) // the owner's first
	l := Levers{Untried: max(0, len(all)-maxTried)}
	// Computed and not read from the outcome: that may be of another build, and a gain must be
	// the change's alone.
	former := rewardOf(scoring.Conclude(in), uid)
	for _, c := range all[:min(len(all), maxTried)] {
		l.Tried++
		out, err := Conclude(in, []Change{c.change}, nil)
		if missing, is := errors.AsType[*NotKeptError](err); is {
			l.NotKept = append(l.NotKept, c.change.String()+": "+strings.Join(missing.What, "; "))
		}
		if err != nil {
			continue // what cannot be is no lever
		}
		if reward := rewardOf(out, uid); reward > former {
			l.List = append(l.List, Lever{
				Change: c.change,
				By:     c.by,
				Reward: reward,
				Gain:   reward - former,
			})
		}
	}
	slices.SortStableFunc(l.List, func(a, b Lever) int { return cmp.Compare(b.Gain, a.Gain) })
	l.List = l.List[:min(len(l.List), maxLevers)]
	return l
}

func rewardOf(o scoring.Outcome, uid int) float64 {
	for _, r := range o.Rewards {
		if r.UID == uid {
			return r.Reward
		}
	}
	return 0
}

// candidates are the single changes by which a miner's reward can rise.
func candidates(in *scoring.RoundInput, e *scoring.Evaluation) []candidate {
	var list []candidate
	for i := range e.Received {
		pr := &e.Received[i]
		item := Item{strings.ToLower(pr.Repository), pr.Number}
		add := func(by By, c Change) {
			c.Item = item
			list = append(list, candidate{c, by})
		}
		repo, registered := in.Registry.Repository(pr.Repository)
		if !registered || scoring.IsMaintainer(pr.AuthorAssociation) {
			continue
		}
		switch pr.State {
		case scoring.Open:
			add(Owner, Change{Kind: Close})
			add(Repository, Change{Kind: Merge})
		case scoring.Merged:
			if pr.ApprovedCount == 0 && pr.MergedByLogin != "" && python.Lower(pr.MergedByLogin) == python.Lower(pr.AuthorLogin) {
				add(Repository, Change{Kind: Approve})
			}
			if name := bestLabel(pr, repo); name != "" {
				add(Repository, Change{Kind: Label, Label: name})
			}
			for _, c := range links(in, pr) {
				add(Repository, c)
			}
		case scoring.Closed:
		}
	}
	if e.Issues == nil {
		return list
	}
	for i := range e.Issues.Listed {
		if issue := &e.Issues.Listed[i]; issue.State == scoring.Open {
			list = append(list, candidate{Change{Kind: Close, Item: Item{strings.ToLower(issue.Repository), issue.Number}}, Owner})
		}
	}
	return list
}

// bestLabel is a label that the repository pays most for; "" when its pattern is none that a
// name can be read from, or when nothing would be better.
func bestLabel(pr *scoring.PullRequest, repo *input.Repository) string {
	best, multiplier := "", repo.DefaultLabelMultiplier
	for _, l := range repo.LabelMultipliers {
		name := strings.NewReplacer("*", "", "?", "x").Replace(l.Pattern)
		if l.Multiplier > multiplier && name != "" && python.Match(l.Pattern, name) {
			best, multiplier = name, l.Multiplier
		}
	}
	has := func(l scoring.Label) bool {
		return python.Lower(l.Name) == best && scoring.IsMaintainer(l.ActorAssociation)
	}
	if slices.ContainsFunc(pr.Labels, has) {
		return ""
	}
	return best
}

// links are the issues that a merged pull request could be said to close: those that it has
// solved, by the issues' own word, and a new one while it can be closed within a day of the
// merge. An edit of its text would undo all of them, so somebody with a right to the
// repository has to link them.
func links(in *scoring.RoundInput, pr *scoring.PullRequest) []Change {
	var list []Change
	for _, uid := range slices.Sorted(maps.Keys(in.Evaluations)) {
		answers := in.Evaluations[uid].Issues
		if answers == nil {
			continue
		}
		for i := range answers.Listed {
			issue := &answers.Listed[i]
			if issue.SolvedByPR != nil && *issue.SolvedByPR == pr.Number && strings.EqualFold(issue.Repository, pr.Repository) {
				list = append(list, Change{Kind: Link, Issue: issue.Number})
			}
		}
	}
	if in.AsOf.Sub(pr.MergedAt) <= scoring.CloseWindow {
		list = append(list, Change{Kind: Link, New: ByOther}, Change{Kind: Link, New: ByMaintainer})
	}
	return list
}
