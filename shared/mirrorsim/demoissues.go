package mirrorsim

import (
	"time"

	"mirrorfleet/shared/scoring"
)

// issueCase changes an issue that a merged pull request of somebody else
// solved into a case of the rules of discovery.
type issueCase func(i *Issue, author castMember)

// issueCases are those in the order in which the rules look at them. A plain
// one stands between any two, so that some miners stay eligible.
//
//nolint:gochecknoglobals // a table
var issueCases = []issueCase{
	func(i *Issue, _ castMember) { i.IsTransferred = true },
	func(i *Issue, _ castMember) { i.StateReason = new("NOT_PLANNED") },
	func(i *Issue, _ castMember) { i.SolvedByPR, i.SolvingPR = nil, nil },
	func(i *Issue, _ castMember) { i.SolvingPR.State, i.SolvingPR.MergedAt = stateClosed, nil },
	func(i *Issue, _ castMember) { i.SolvingPR.BaseRef = new("experiment") },
	func(i *Issue, _ castMember) { i.SolvingPR.EditedAfterMerge = true },
	func(i *Issue, _ castMember) { i.LastEditedAt = new(i.ClosedAt.Add(time.Hour)) },
	func(i *Issue, _ castMember) { i.AuthorGitHubID = nil },
	func(i *Issue, author castMember) { i.SolvingPR.AuthorGitHubID = author.id() }, // solved by its own author
	func(i *Issue, _ castMember) { i.AuthorAssociation = new("OWNER") },
	func(i *Issue, _ castMember) { i.CreatedAt = nil },
	func(i *Issue, _ castMember) { i.SolvingPR.ReviewSummary.MaintainerChangesRequested = 2 },
	func(i *Issue, _ castMember) {
		i.State, i.StateReason, i.ClosedAt, i.SolvedByPR, i.SolvingPR = stateOpen, nil, nil, nil, nil
	},
}

// issues gives every second miner four issues: each second one plain, the
// others the cases in turn. Two of them name the same solver, so that there
// is an owner to find, and some a solver who is no miner.
func (d *demo) issues() {
	turn := 0
	for at, m := range cast {
		if m.token != scoring.TokenValid || at%2 == 0 {
			continue
		}
		for range 4 {
			solver := d.solver(m, turn)
			issue := d.issue(m, solver)
			if turn%2 == 1 {
				issueCases[turn/2%len(issueCases)](&issue, m)
			}
			if issue.State == string(scoring.Open) {
				d.world.AddIssue(m.id(), d.issueWithout(m, solver.repo)) // a second open one
			}
			d.world.AddIssue(m.id(), issue)
			turn++
		}
	}
}

// solver picks a merged pull request that is not the miner's own. Every
// seventh is a stranger's, whose files nobody else asks for.
func (d *demo) solver(m castMember, turn int) solvable {
	if turn%7 == 3 {
		stranger := castMember{uid: 900 + turn, login: "a-passer-by"}
		pull := d.pull(stranger, canvas, scoring.Merged)
		d.add("", pull, ordinaryFiles(d.rng, demoRepos[canvas].languages))
		return solvable{canvas, stranger, pull}
	}
	for {
		s := d.merged[d.rng.IntN(len(d.merged))]
		if s.author.uid != m.uid {
			return s
		}
	}
}

// issue is an issue of a miner that a pull request solved.
func (d *demo) issue(m castMember, s solvable) Issue {
	i := d.issueWithout(m, s.repo)
	i.State, i.StateReason = stateClosed, new("COMPLETED")
	i.CreatedAt = new(s.pull.CreatedAt.Add(-time.Duration(5+d.rng.IntN(40)) * time.Hour))
	i.ClosedAt = new(s.pull.MergedAt.Add(time.Minute))
	i.UpdatedAt = i.ClosedAt
	i.SolvedByPR = new(s.pull.Number)
	i.SolvingPR = &SolvingPR{
		Number: s.pull.Number, AuthorGitHubID: s.author.id(), State: stateMerged, MergedAt: s.pull.MergedAt,
		HoursSinceMerge: s.pull.HoursSinceMerge, EditedAfterMerge: s.pull.EditedAfterMerge,
		HeadSHA: s.pull.HeadSHA, BaseSHA: s.pull.BaseSHA, MergeBaseSHA: s.pull.MergeBaseSHA,
		BaseRef: s.pull.BaseRef, HeadRef: s.pull.HeadRef, HeadRepoFullName: s.pull.HeadRepoFullName, DefaultBranch: s.pull.DefaultBranch,
		Labels:        s.pull.Labels,
		ReviewSummary: ReviewSummary{MaintainerChangesRequested: s.pull.ReviewSummary.MaintainerChangesRequested},
	}
	return i
}

// issueWithout is an open issue that nobody has solved.
func (d *demo) issueWithout(m castMember, repo int) Issue {
	return Issue{
		RepoFullName: demoRepos[repo].name, Number: d.number(), Title: "The " + d.word(nouns) + " is not " + d.word(phrases), State: stateOpen,
		AuthorGitHubID: new(m.id()), AuthorLogin: &m.login, AuthorAssociation: new("NONE"),
		CreatedAt: new(demoAsOf.Add(-time.Duration(24+d.rng.IntN(400)) * time.Hour)), Labels: []Label{},
	}
}
