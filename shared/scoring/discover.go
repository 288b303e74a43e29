package scoring

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"mirrorfleet/shared/scoring/input"
)

// hunt is one miner's part in issue discovery.
type hunt struct {
	*miner

	issues []*Issue       // those that count, in the order of docs/rules/scoring.md#counts
	open   map[string]int // the open issues of each repository, by its lower-cased name
}

// discovery is what all miners share while docs/rules/scoring.md#issue-discovery
// is applied.
type discovery struct {
	in     *RoundInput
	scores map[pullKey]SolvingScore // an absent one is unavailable
	owners map[pullKey]marker       // the canonical issue of each solving pull request, so far
}

// discover applies docs/rules/scoring.md#issue-discovery to all miners of the
// round. It takes two passes: the canonical owner of a solving pull request is
// known only when every miner's issues have been claimed. Incomplete figures count
// in this round, but they do not replace the stored ones.
func discover(in *RoundInput, miners []*miner, stored *store) {
	if len(in.Registry.Repositories) == 0 {
		return
	}
	d := &discovery{in: in, scores: solvingScores(miners), owners: map[pullKey]marker{}}
	var hunts []*hunt
	var complete []*miner
	for _, m := range miners {
		if m.out.Failed != input.NoFailure || m.GitHubID == input.NoGitHubID {
			continue
		}
		h := m.hunt(in.Registry, stored)
		switch {
		case h == nil:
		case len(h.issues) == 0:
			m.clearIssues(h.open)
			complete = append(complete, m)
		default:
			hunts = append(hunts, h)
			d.claim(h)
		}
	}
	for _, h := range hunts {
		d.score(h)
		if !h.out.IssuesIncomplete {
			complete = append(complete, h.miner)
		}
	}
	for _, m := range complete {
		stored.renewIssues(m)
	}
}

// hunt selects the issues of a miner that count. It returns nil when the issues
// could not be listed: the miner then has its stored figures, and its issues claim
// nothing. A nil evaluation, of a dead letter, is the same case.
func (m *miner) hunt(reg input.Registry, stored *store) *hunt {
	if m.evaluation == nil || m.evaluation.Issues == nil {
		m.out.IssuesFailed = true
		if last := stored.get(&m.Miner); last != nil {
			m.takeIssues(last)
		}
		return nil
	}
	answers := m.evaluation.Issues
	h := &hunt{miner: m, open: answers.Open}
	if answers.OpenFailed {
		m.out.OpenIssuesFailed = true
		h.open = openFallback(answers.Listed, reg, stored.get(&m.Miner))
	}
	for i := range answers.Listed {
		issue := &answers.Listed[i]
		if reason := keepIssue(issue, reg); reason != nil {
			m.out.Issues = append(m.out.Issues, IssueOutcome{
				Repository:     issue.Repository,
				Number:         issue.Number,
				Classification: IssueIgnored,
				Reason:         *reason,
			})
			continue
		}
		h.issues = append(h.issues, issue)
	}
	inOrder(h.issues)
	return h
}

// openFallback counts the open issues of a miner whose open issues could not be
// listed: those of the windowed list, raised to the stored counts. An issue that was
// opened before the window is in the stored count alone. A failed request must not
// let a miner pass the spam threshold.
func openFallback(listed []Issue, reg input.Registry, last *StoredEvaluation) map[string]int {
	counts := CountOpen(listed, reg)
	if last == nil {
		return counts
	}
	kept := false
	for _, r := range last.Repositories {
		if repo, found := reg.Repository(r.Repository); found {
			kept = true
			counts[repo.Name] = max(counts[repo.Name], r.TotalOpenIssues)
		}
	}
	// The totals name no repository. With one repository in the registry, the stored
	// total is that repository's.
	if !kept && len(reg.Repositories) == 1 {
		name := reg.Repositories[0].Name
		counts[name] = max(counts[name], last.Issues.TotalOpenIssues)
	}
	return counts
}

// clearIssues leaves a miner without issues nothing but its open counts.
func (m *miner) clearIssues(open map[string]int) {
	m.out.IssueFigures, m.out.ScoredIssues = IssueFigures{}, nil
	for i := range m.repositories {
		m.repositories[i].IssueFigures = IssueFigures{}
	}
	for _, name := range slices.Sorted(maps.Keys(open)) {
		m.repository(name).TotalOpenIssues = open[name]
		m.out.TotalOpenIssues += open[name]
	}
}

// marker orders the issues that claim one solving pull request:
// docs/rules/scoring.md#canonical-owner. No two issues of a round have equal ones,
// unless a miner's list has the same issue twice.
type marker struct {
	created     time.Time
	number, uid int
}

func (m marker) compare(o marker) int {
	return cmp.Or(cmp.Compare(micros(m.created), micros(o.created)), cmp.Compare(m.number, o.number), cmp.Compare(m.uid, o.uid))
}

func (h *hunt) marker(issue *Issue) marker {
	return marker{issue.createdOrFarFuture(), issue.Number, h.UID}
}

// claim enters a miner's solved issues as owners of their solving pull requests.
// The lowest marker wins, in whatever order miners claim. An issue whose author
// also wrote the solving pull request never owns it.
// See docs/rules/scoring.md#canonical-owner.
func (d *discovery) claim(h *hunt) {
	for _, issue := range h.issues {
		repo, _ := d.in.Registry.Repository(issue.Repository)
		if class, _ := classify(issue, repo); class != IssueSolved || issue.AuthorID == issue.Solving.AuthorID {
			continue
		}
		key, own := pullKey{repo.Name, issue.Solving.Number}, h.marker(issue)
		if owner, owned := d.owners[key]; !owned || own.compare(owner) < 0 {
			d.owners[key] = own
		}
	}
}
