package view

import (
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// MinerLine is a miner of an outcome in one line.
type MinerLine struct {
	UID      int
	Hotkey   string
	GitHubID string
	// Login is the account's name, by the miner's first pull request; "" for unknown.
	Login string
	// Failed is the rule that fails the miner. Such a miner has nothing else but its reward,
	// which is 0.
	Failed      input.Failure
	Merged      int
	Open        int
	Closed      int
	Credibility float64
	Score       float64
	Issues      float64
	Reward      float64
	// Note is the most important thing to know beside the figures; "" for nothing.
	Note string
}

// MinerLines are the miners of an outcome, by uid.
func MinerLines(r *outcome.Result) []MinerLine {
	// The outcome keeps these in lists of their own; uid is the key of all of them.
	rewards := map[int]float64{}
	for _, reward := range r.Outcome.Rewards {
		rewards[reward.UID] = reward.Reward
	}
	lacking := map[int][]job.Missing{}
	for _, d := range r.Degraded {
		lacking[d.UID] = d.Missing
	}
	unknown := map[int]*outcome.UnknownIdentity{}
	for i := range r.UnknownIdentities {
		unknown[r.UnknownIdentities[i].UID] = &r.UnknownIdentities[i]
	}
	lines := make([]MinerLine, len(r.Outcome.Miners))
	for i := range r.Outcome.Miners {
		m := &r.Outcome.Miners[i]
		lines[i] = MinerLine{
			UID:    m.UID,
			Hotkey: m.Hotkey,
			Failed: m.Failed,
			Reward: rewards[m.UID],
			Note:   string(m.Failed),
		}
		if m.Failed != input.NoFailure {
			continue
		}
		lines[i].GitHubID = m.GitHubID
		lines[i].Login = LoginOf(m)
		lines[i].Merged = m.TotalMergedPRs
		lines[i].Open = m.TotalOpenPRs
		lines[i].Closed = m.TotalClosedPRs
		lines[i].Credibility = m.Credibility
		lines[i].Score = m.TotalScore
		lines[i].Issues = m.IssueDiscoveryScore
		lines[i].Note = identityNote(m, unknown[m.UID], noteOf(m, lacking[m.UID]))
	}
	return lines
}

// LoginOf is an account's name, by the miner's first pull request that has it; "" for unknown.
func LoginOf(m *scoring.MinerOutcome) string {
	for i := range m.PullRequests {
		if listed := m.PullRequests[i].Listed; listed != nil && listed.AuthorLogin != "" {
			return listed.AuthorLogin
		}
	}
	return ""
}

// noteOf is the most important thing to know of a miner beside its scores: what stands in,
// what is missing, or the rule that makes its score zero.
func noteOf(m *scoring.MinerOutcome, missing []job.Missing) string {
	switch {
	case m.FromStored:
		return "from its stored evaluation"
	case m.FetchFailed:
		return "its pull requests could not be listed"
	case len(missing) > 0:
		return Lacks(missing)
	case m.IssuesFailed:
		return "its issues could not be listed"
	case m.IssuesIncomplete:
		return "its issues are incomplete"
	}
	return ZeroNote(m)
}

// identityNote adds to a note that the miner's identity is unknown. If no identity was kept
// from before, the mirror was not asked at all, and the note could only repeat that.
func identityNote(m *scoring.MinerOutcome, unknown *outcome.UnknownIdentity, rest string) string {
	const text = "its identity is unknown"
	switch {
	case unknown == nil:
		return rest
	case rest == "" || unknown.KeptAt.IsZero() && !m.FromStored:
		return text
	}
	return text + "; " + rest
}

// Lacks names the first thing that a degraded miner lacks, and counts the others.
func Lacks(missing []job.Missing) string {
	things := make([]string, len(missing))
	for i := range missing {
		things[i] = missing[i].What
	}
	return "lacks " + plural.Some(things, 1)
}
