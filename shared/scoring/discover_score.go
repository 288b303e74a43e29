package scoring

import (
	"maps"
	"slices"

	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/python"
)

// finds is one miner's issues in one repository.
type finds struct {
	repo                  *input.Repository
	solved, valid, closed int
	tokenScore            float64 // of the scored issues' solving pull requests, not rounded
	scored                []ScoredIssue
	// outcomes are the indexes of the scored issues in the miner's Issues.
	outcomes []int
}

// score classifies and scores a miner's issues, and adds them up. A repository
// with open issues alone is concluded too: its open count is part of the outcome.
func (d *discovery) score(h *hunt) {
	found := map[string]*finds{}
	for _, issue := range h.issues {
		repo, _ := d.in.Registry.Repository(issue.Repository)
		if found[repo.Name] == nil {
			found[repo.Name] = &finds{repo: repo}
		}
		d.take(h, found[repo.Name], issue)
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(found)), maps.Keys(h.open))
	slices.Sort(names)
	h.out.ScoredIssues = nil
	for _, name := range slices.Compact(names) {
		repo, known := d.in.Registry.Repository(name)
		if !known {
			continue
		}
		f := found[name]
		if f == nil {
			f = &finds{repo: repo}
		}
		h.conclude(f)
	}
	h.issueTotals()
}

// take counts one issue, and adds its score to its repository's finds:
// docs/rules/scoring.md#counts. An issue counts as valid even when it does not
// score, such as one that another issue owns.
func (d *discovery) take(h *hunt, f *finds, issue *Issue) {
	class, reason := classify(issue, f.repo)
	out := IssueOutcome{
		Repository:     f.repo.Name,
		Number:         issue.Number,
		Classification: class,
		Reason:         reason,
	}
	if issue.Solving != nil {
		out.PullRequest = issue.Solving.Number
	}
	switch class {
	case IssueClosed:
		f.closed++
	case IssueSolved:
		f.solved++
		score, available := d.scores[pullKey{f.repo.Name, issue.Solving.Number}]
		if available && score.TokenScore >= f.repo.Eligibility.MinTokenScoreForValidIssue {
			f.valid++
		}
		if out.Reason = d.judge(h, f.repo, issue, score, available); out.Reason.Code == IssueUnavailable {
			h.out.IssuesIncomplete = true
		}
		if out.Reason.Code == IssueScores {
			f.scored = append(f.scored, d.scoredIssue(f.repo, issue, score, &out))
			f.outcomes = append(f.outcomes, len(h.out.Issues))
			f.tokenScore += score.TokenScore
		}
	case IssueIgnored:
	}
	h.out.Issues = append(h.out.Issues, out)
}

// judge says whether a solved issue scores, or names the first rule that keeps it
// from scoring. A solving score that is unavailable comes first: the miner is then
// incomplete, whatever the other rules would say.
func (d *discovery) judge(h *hunt, repo *input.Repository, issue *Issue, score SolvingScore, available bool) Reason {
	minimum := repo.Eligibility.MinTokenScoreForValidIssue
	owner := d.owners[pullKey{repo.Name, issue.Solving.Number}]
	switch {
	case !available:
		return because(IssueUnavailable)
	case issue.AuthorID == issue.Solving.AuthorID:
		return because(IssueOwnSolver, "author_id", issue.AuthorID)
	case h.marker(issue).compare(owner) != 0:
		return because(IssueNotCanonical, "owner_issue", count(owner.number), "owner_uid", count(owner.uid))
	case score.TokenScore < minimum:
		return because(IssueBelowThreshold, "token_score", number(score.TokenScore), "least", number(minimum))
	case issue.Solving.MergedAt.IsZero():
		return because(IssueNoMergedAt)
	}
	return because(IssueScores, "base_score", number(score.BaseScore), "token_score", number(score.TokenScore))
}

// scoredIssue is a scoring issue before its repository is judged: credibility and
// spam multiplier are still 1. Decay, review and label are those of the solving pull
// request.
func (d *discovery) scoredIssue(repo *input.Repository, issue *Issue, score SolvingScore, out *IssueOutcome) ScoredIssue {
	solver := issue.Solving
	asOf, alone := d.in.IssuesAsOf[IssueName{repo.Name, issue.Number}]
	if !alone {
		asOf = d.in.AsOf
	}
	decay, decayReason := timeDecay(solver.MergedAt, asOf, &repo.Scoring.TimeDecay)
	review, reviewReason := reviewQuality(solver.MaintainerChangesRequestedCount, repo.Scoring.ReviewPenaltyRate)
	label := chooseLabel(solver.Labels, repo)
	out.Labels = label.reasons
	out.TimeDecay = &decayReason
	out.Review = &reviewReason
	return ScoredIssue{
		Repository:              repo.Name,
		Number:                  issue.Number,
		PullRequest:             solver.Number,
		BaseScore:               score.BaseScore,
		TimeDecayMultiplier:     decay,
		ReviewQualityMultiplier: review,
		LabelMultiplier:         label.multiplier,
		CredibilityMultiplier:   1,
		OpenSpamMultiplier:      1,
	}
}

// conclude judges a repository's finds and sets the scores that its issues earn:
// docs/rules/scoring.md#earnings. The scores are added one by one, without
// compensation.
func (h *hunt) conclude(f *finds) {
	out := h.repository(f.repo.Name)
	out.IssueFigures = IssueFigures{
		IssueTokenScore:        python.Round2(f.tokenScore),
		TotalSolvedIssues:      f.solved,
		TotalValidSolvedIssues: f.valid,
		TotalClosedIssues:      f.closed,
		TotalOpenIssues:        h.open[f.repo.Name],
	}
	if all := f.solved + f.closed; all > 0 {
		out.IssueCredibility = float64(f.solved) / float64(all)
	}
	gate := f.gate(&out.IssueFigures)
	out.IssueGate = &gate
	if gate.Code != GateOpen {
		for _, at := range f.outcomes {
			// The reason keeps the values that the issue would have scored with.
			reason := &h.out.Issues[at].Reason
			reason.Code, reason.Values["gate"] = IssueNotEligible, string(gate.Code)
		}
		return
	}
	out.IssueEligible = true
	score := 0.0
	for i := range f.scored {
		score += f.scored[i].earn(python.Round2(out.IssueCredibility), gate.SpamMultiplier)
	}
	out.IssueDiscoveryScore = python.Round2(score)
	h.out.ScoredIssues = append(h.out.ScoredIssues, f.scored...)
}

// gate is the repository's gate for issues. The spam threshold uses the token score
// before it is rounded.
func (f *finds) gate(figures *IssueFigures) Gate {
	e := &f.repo.Eligibility
	gate := Gate{
		Code:           GateOpen,
		Count:          f.valid,
		Minimum:        e.MinValidSolvedIssues,
		Credibility:    figures.IssueCredibility,
		MinCredibility: e.MinIssueCredibility,
		Open:           figures.TotalOpenIssues,
		TokenScore:     f.tokenScore,
	}
	if gate.judge(); gate.Code == GateOpen {
		gate.spam(e.OpenIssueSpamBaseThreshold, e.OpenIssueSpamTokenScorePerSlot, e.MaxOpenIssueThreshold)
	}
	return gate
}

// earn sets the score that an issue earns, rounded to two decimals. credibility is
// rounded already.
func (s *ScoredIssue) earn(credibility, spam float64) float64 {
	s.CredibilityMultiplier, s.OpenSpamMultiplier = credibility, spam
	s.EarnedScore = python.Round2(s.BaseScore * s.LabelMultiplier * s.TimeDecayMultiplier * s.ReviewQualityMultiplier * credibility * spam)
	return s.EarnedScore
}

// issueTotals adds up a miner's repositories. Both scores are rounded once more:
// a sum of rounded numbers need not be one.
func (m *miner) issueTotals() {
	type repo = RepositoryOutcome
	list := m.repositories
	m.out.IssueFigures = IssueFigures{
		IssueEligible:          slices.ContainsFunc(list, func(r repo) bool { return r.IssueEligible }),
		IssueDiscoveryScore:    python.Round2(sumOf(list, func(r *repo) float64 { return r.IssueDiscoveryScore })),
		IssueTokenScore:        python.Round2(sumOf(list, func(r *repo) float64 { return r.IssueTokenScore })),
		TotalSolvedIssues:      countOf(list, func(r *repo) int { return r.TotalSolvedIssues }),
		TotalValidSolvedIssues: countOf(list, func(r *repo) int { return r.TotalValidSolvedIssues }),
		TotalClosedIssues:      countOf(list, func(r *repo) int { return r.TotalClosedIssues }),
		TotalOpenIssues:        countOf(list, func(r *repo) int { return r.TotalOpenIssues }),
	}
	for i := range list {
		m.out.IssueCredibility = max(m.out.IssueCredibility, list[i].IssueCredibility)
	}
}
