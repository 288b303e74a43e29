package scoring

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"mirrorfleet/shared/scoring/input"
)

// hunt is a miner whose issues take part in discovery.
type hunt struct {
	*miner

	issues []*Issue // kept, in the order of docs/rules/scoring.md#counts
	open   map[string]int
}

// discovery is what all miners share while docs/rules/scoring.md#issue-discovery
// is applied.
type discovery struct {
	in     *RoundInput
	scores map[pullKey]SolvingScore
	owners map[pullKey]marker
}

// discover applies docs/rules/scoring.md#issue-discovery to all miners of the
// round.
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

// hunt makes of a miner's answers what takes part, or nil when the issues
// could not be listed and the stored figures went in.
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
				Repository: issue.Repository, Number: issue.Number, Classification: IssueIgnored, Reason: *reason,
			})
			continue
		}
		h.issues = append(h.issues, issue)
	}
	inOrder(h.issues)
	return h
}

// openFallback counts the open issues when the open ones could not be listed:
// those of the windowed list, raised to the stored counts.
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
	// Of a registry with one repository the stored total is that one's.
	if !kept && len(reg.Repositories) == 1 {
		name := reg.Repositories[0].Name
		counts[name] = max(counts[name], last.Issues.TotalOpenIssues)
	}
	return counts
}

// clearIssues is what a miner without issues is left with: its open counts.
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

// marker orders the issues that claim one solving pull request.
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

// claim enters a miner's solved issues as owners of their solving pull
// requests; the first by marker stays. Nobody owns what they solved themselves:
// docs/rules/scoring.md#canonical-owner.
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
