package shadow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// causesOf lists a miner's own inputs that differ, other than who it is.
func (c *comparison) causesOf(uid int) (list []Cause) {
	theirs, mine := c.record.byUID[uid], c.entries[uid]
	if theirs.Failed != input.NoFailure { // it asks the mirror for nothing then, or drops what it got
		return list
	}
	e, evaluated := c.in.Evaluations[uid]
	if !evaluated && c.ours[uid].Failed == input.NoFailure {
		list = append(list, Cause{Kind: KindNotKept, What: "our round has no evaluation of the miner: its job failed"})
	}
	fetched := evaluated && !e.FetchFailed && !mine.IdentityUnreachable
	stored := c.ours[uid].FromStored
	if lacked := theirs.FetchFailed || theirs.FromStored; evaluated && fetched == lacked || stored != theirs.FromStored {
		list = append(list, Cause{KindStored, "pull requests", listing(fetched, stored), listing(!lacked, theirs.FromStored)})
	} else if stored {
		list = append(list, Cause{Kind: KindStored, What: "both rounds fell back on pull requests of their own earlier rounds"})
	}
	if evaluated && e.Received != nil && theirs.Received != nil {
		list = append(list, c.pullsDiffer(e.Received, theirs.Received)...)
	}
	list = append(list, c.tokensDiffer(theirs)...)
	if evaluated {
		list = append(list, c.issuesDiffer(e.Issues, theirs)...)
	}
	return list
}

func listing(fetched, stored bool) string {
	switch {
	case stored:
		return "stored ones stand in"
	case fetched:
		return "listed"
	}
	return "could not be listed"
}

// whoDiffers is looked at of equal miners too: a reward goes to whoever has the uid.
func (c *comparison) whoDiffers(uid int) (list []Cause) {
	theirs, mine := c.record.byUID[uid], c.entries[uid]
	if mine.Hotkey != theirs.Hotkey && theirs.Failed != input.NoHotkey {
		list = append(list, Cause{KindMiner, "hotkey", orNone(mine.Hotkey), orNone(theirs.Hotkey)})
	}
	if ours := c.ours[uid]; ours.Failed != theirs.Failed {
		list = append(list, Cause{KindMiner, "takes part", takesPart(ours.Failed), takesPart(theirs.Failed)})
	} else if ours.GitHubID != theirs.GitHubID {
		list = append(list, Cause{KindMiner, "GitHub account", ours.GitHubID, theirs.GitHubID})
	}
	return list
}

func takesPart(f input.Failure) string {
	if f == input.NoFailure {
		return "yes"
	}
	return string(f)
}

// pullsDiffer compares what the mirror listed. If only one side lists a pull request, its dates
// say whether it came or went between the two rounds.
func (c *comparison) pullsDiffer(ours, theirs []scoring.PullRequest) (list []Cause) {
	known := map[item]*scoring.PullRequest{}
	for i := range theirs {
		known[item{Repository: theirs[i].Repository, Number: theirs[i].Number}] = &theirs[i]
	}
	var mine, others []string
	for i := range ours {
		p := &ours[i]
		name := item{Repository: p.Repository, Number: p.Number}
		what := fmt.Sprintf("%s#%d", p.Repository, p.Number)
		if other := known[name]; other != nil {
			list = append(list, factsApart(KindPull, what, pullFacts(p), pullFacts(other))...)
			mine = append(mine, what)
			delete(known, name)
			continue
		}
		list = append(list, Cause{KindPull, what, fmt.Sprintf("%s, of %s", p.State, instant(dated(p))), "not listed"})
	}
	for i := range theirs {
		p := &theirs[i]
		what := fmt.Sprintf("%s#%d", p.Repository, p.Number)
		if known[item{Repository: p.Repository, Number: p.Number}] != nil {
			list = append(list, Cause{KindPull, what, "not listed", fmt.Sprintf("%s, of %s", p.State, instant(dated(p)))})
			continue
		}
		others = append(others, what)
	}
	if len(list) == 0 && !slices.Equal(mine, others) {
		list = append(list, Cause{Kind: KindPull, What: "the mirror listed them in another order"})
	}
	return list
}

// tokensDiffer compares the token figures of pull requests that both sides have scored.
func (c *comparison) tokensDiffer(theirs *Miner) (list []Cause) {
	for i := range theirs.PullRequests {
		p := &theirs.PullRequests[i]
		figures, known := c.figures[item{Repository: p.Repository, Number: p.Number}]
		what := fmt.Sprintf("%s#%d", p.Repository, p.Number)
		switch {
		case theirs.FromStored || !known:
		case figures == nil && p.hasFiles():
			list = append(list, Cause{KindFiles, what + ": files", "none", strconv.Itoa(*p.Files)})
		case figures != nil && !p.hasFiles():
			list = append(list, Cause{KindFiles, what + ": files", strconv.Itoa(len(figures.Files)), "none"})
		case figures != nil && !sameTokens(figures, p):
			list = append(list, Cause{
				KindTokens, what, tokensText(figures.TokenScore, figures.TotalNodesScored), tokensText(p.TokenScore, p.TotalNodesScored),
			})
		}
	}
	return list
}

func tokensText(score float64, nodes int) string {
	return fmt.Sprintf("%s of %d nodes", strconv.FormatFloat(score, 'g', -1, 64), nodes)
}

func (p *Pull) hasFiles() bool { return p.Files != nil && *p.Files > 0 }

func sameTokens(f *tokens.Figures, p *Pull) bool {
	return f.TokenScore == p.TokenScore && f.StructuralCount == p.StructuralCount && f.StructuralScore == p.StructuralScore &&
		f.LeafCount == p.LeafCount && f.LeafScore == p.LeafScore && f.TotalNodesScored == p.TotalNodesScored
}

func (c *comparison) issuesDiffer(answers *scoring.IssueAnswers, theirs *Miner) (list []Cause) {
	if (answers == nil) != (theirs.Listed == nil) {
		return []Cause{{KindIssue, "issues", listing(answers != nil, false), listing(theirs.Listed != nil, false)}}
	}
	if answers == nil {
		return []Cause{{Kind: KindIssue, What: "both rounds fell back on issues of their own earlier rounds"}}
	}
	known := map[item]*scoring.Issue{}
	for i := range theirs.Listed {
		known[item{Repository: theirs.Listed[i].Repository, Number: theirs.Listed[i].Number}] = &theirs.Listed[i]
	}
	for i := range answers.Listed {
		issue := &answers.Listed[i]
		name := item{Repository: issue.Repository, Number: issue.Number}
		what := fmt.Sprintf("%s#%d", issue.Repository, issue.Number)
		if other := known[name]; other != nil {
			list = append(list, factsApart(KindIssue, what, issueFacts(issue), issueFacts(other))...)
			delete(known, name)
			continue
		}
		list = append(list, Cause{KindIssue, what, fmt.Sprintf("%s, of %s", issue.State, instant(issueDated(issue))), "not listed"})
	}
	for i := range theirs.Listed {
		issue := &theirs.Listed[i]
		if known[item{Repository: issue.Repository, Number: issue.Number}] != nil {
			what := fmt.Sprintf("%s#%d", issue.Repository, issue.Number)
			list = append(list, Cause{KindIssue, what, "not listed", fmt.Sprintf("%s, of %s", issue.State, instant(issueDated(issue)))})
		}
	}
	return append(list, c.openDiffer(answers, theirs)...)
}

func (c *comparison) openDiffer(answers *scoring.IssueAnswers, theirs *Miner) (list []Cause) {
	if answers.OpenFailed != (theirs.Open == nil) {
		return []Cause{{KindOpenIssues, "open issues", listing(!answers.OpenFailed, false), listing(theirs.Open != nil, false)}}
	}
	others := c.openOf(theirs)
	for _, name := range keysOf(answers.Open, others) {
		if answers.Open[name] != others[name] {
			list = append(list, Cause{KindOpenIssues, name, strconv.Itoa(answers.Open[name]), strconv.Itoa(others[name])})
		}
	}
	return list
}

// openOf returns the validator's counts of a miner's open issues, for the repositories of the
// registry. Where the validator could not ask, it returns the counts that it fell back on.
func (c *comparison) openOf(theirs *Miner) map[string]int {
	counts := map[string]int{}
	if theirs.Open == nil {
		for i := range theirs.Repositories {
			if r := &theirs.Repositories[i]; r.TotalOpenIssues > 0 {
				counts[r.Repository] = r.TotalOpenIssues
			}
		}
		return counts
	}
	for name, count := range theirs.Open {
		if repo, known := c.record.registry.Repository(strings.ToLower(name)); known {
			counts[repo.Name] += count
		}
	}
	return counts
}
