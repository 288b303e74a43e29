package view

import (
	"context"
	"fmt"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/whatif"
)

// WhatIf is a round as it would be with some changes.
type WhatIf struct {
	Heading

	// Changes are the changes in words.
	Changes []string `json:"changes"`
	// Miners are those whose scores or reward differ, by uid.
	Miners []Difference `json:"miners"`
	// Pulls are the pull requests of the miner that was asked about, as far as they differ.
	Pulls []PullDifference `json:"pull_requests"`
	// Then is the miner that was asked about, as it would be.
	Then Miner `json:"then"`
}

// Difference is a miner before and after.
type Difference struct {
	UID    int             `json:"uid"`
	Score  outcome.Figures `json:"score"`
	Issues outcome.Figures `json:"issue_discovery_score"`
	Reward outcome.Figures `json:"reward"`
}

// PullDifference is a pull request before and after. A state is "" where it was not loaded.
type PullDifference struct {
	Repository string          `json:"repository_full_name"`
	Number     int             `json:"number"`
	Was        scoring.State   `json:"was"`
	Is         scoring.State   `json:"is"`
	Earned     outcome.Figures `json:"earned_score"`
	Collateral outcome.Figures `json:"collateral_score"`
}

// WhatIfOf concludes a round again with changes, and compares. Nothing is stored.
func WhatIfOf(ctx context.Context, bus *jobstream.Bus, r outcome.Result, uid int, asked whatif.Asked) (WhatIf, error) {
	before, err := MinerIn(&r, uid)
	if err != nil {
		return WhatIf{}, err
	}
	a := WhatIf{Heading: headingOf(r, uid), Changes: []string{}}
	changes, err := asked.Changes()
	if err != nil {
		return a, err
	}
	for _, c := range changes {
		a.Changes = append(a.Changes, c.String())
	}
	var registry *input.Registry
	if len(asked.Registry) > 0 {
		parsed, err := input.ParseRegistry(asked.Registry)
		if err != nil {
			return a, fmt.Errorf("%w: %w", whatif.ErrImpossible, err)
		}
		registry = &parsed
		a.Changes = append(a.Changes, "the registry is another")
	}
	in, err := keptOf(ctx, bus, &r)
	if err != nil {
		return a, err
	}
	then := r
	if then.Outcome, err = whatif.Conclude(in, changes, registry); err != nil {
		return a, err
	}
	after, err := MinerIn(&then, uid)
	if err != nil {
		return a, err
	}
	a.Miners = differences(r, then)
	a.Pulls = pullDifferences(before, after)
	a.Then = MinerFrom(&then, after)
	return a, nil
}

// differences are the miners of which a figure differs. Any difference is one.
func differences(before, after outcome.Result) []Difference {
	list := []Difference{}
	for _, change := range outcome.Compare(before, after).Changes {
		list = append(list, Difference{
			UID:    change.UID,
			Score:  change.Score,
			Issues: change.Issues,
			Reward: change.Reward,
		})
	}
	return list
}

func pullDifferences(before, after *scoring.MinerOutcome) []PullDifference {
	list, at := []PullDifference{}, map[PullName]int{}
	add := func(p *scoring.PullRequestOutcome) *PullDifference {
		name := PullName{p.Repository, p.Number}
		i, there := at[name]
		if !there {
			i = len(list)
			at[name] = i
			list = append(list, PullDifference{Repository: p.Repository, Number: p.Number})
		}
		return &list[i]
	}
	for i := range before.PullRequests {
		p := &before.PullRequests[i]
		d := add(p)
		d.Was = p.State
		d.Earned.Old, d.Collateral.Old = p.EarnedScore, p.CollateralScore
	}
	for i := range after.PullRequests {
		p := &after.PullRequests[i]
		d := add(p)
		d.Is = p.State
		d.Earned.New, d.Collateral.New = p.EarnedScore, p.CollateralScore
	}
	changed := []PullDifference{}
	for _, d := range list {
		if d.Was != d.Is || d.Earned.Old != d.Earned.New || d.Collateral.Old != d.Collateral.New {
			changed = append(changed, d)
		}
	}
	return changed
}

// Levers are the single changes that would raise a miner's reward most.
type Levers struct {
	Heading

	Reward float64 `json:"reward"`
	Levers []Lever `json:"levers"`
	// Tried counts the changes that were tried, Untried those beyond the bound.
	Tried   int `json:"tried"`
	Untried int `json:"untried"`
	// NotKept names changes that might help, with what the round did not keep of them.
	NotKept []string `json:"not_kept"`
}

// Lever is one change with its gain.
type Lever struct {
	Change string `json:"change"`
	// Flag is the change as `producer what-if` takes it.
	Flag string `json:"flag"`
	// By says who can make it: the owner, which is the miner, or the repository, whose
	// maintainers decide.
	By     whatif.By `json:"by"`
	Reward float64   `json:"reward"`
	Gain   float64   `json:"gain"`
}

// LeversOf finds a miner's levers.
func LeversOf(ctx context.Context, bus *jobstream.Bus, r outcome.Result, uid int) (Levers, error) {
	if _, err := MinerIn(&r, uid); err != nil {
		return Levers{}, err
	}
	a := Levers{
		Heading: headingOf(r, uid),
		Reward:  pathOf(&r.Outcome, uid).Reward,
		Levers:  []Lever{},
		NotKept: []string{},
	}
	in, err := keptOf(ctx, bus, &r)
	if err != nil {
		return a, err
	}
	found := whatif.LeversOf(in, uid)
	a.Tried, a.Untried = found.Tried, found.Untried
	a.NotKept = append(a.NotKept, found.NotKept...)
	for _, l := range found.List {
		a.Levers = append(a.Levers, Lever{
			Change: l.Change.String(),
			Flag:   l.Change.Flag(),
			By:     l.By,
			Reward: l.Reward,
			Gain:   l.Gain,
		})
	}
	return a, nil
}
