package outcome

import (
	"fmt"
	"slices"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// Comparison is what a revision changed.
type Comparison struct {
	Round   string   `json:"round"`
	From    int      `json:"from_revision"`
	To      int      `json:"to_revision"`
	Changes []Change `json:"changes"` // by uid
}

// Change is one miner whose figures differ between two revisions.
type Change struct {
	UID    int     `json:"uid"`
	Score  Figures `json:"score"`
	Issues Figures `json:"issue_discovery_score"`
	Reward Figures `json:"reward"`
	Reason string  `json:"reason"`
}

// Figures are a figure before and after.
type Figures struct {
	Old float64 `json:"old"`
	New float64 `json:"new"`
}

func (f Figures) changed() bool { return f.Old != f.New } // any difference is one

// Compare lists the miners whose score or reward a revision changed, or whose
// state it did, with the reason.
func Compare(before, after Result) Comparison {
	c := Comparison{
		Round:   after.Round,
		From:    before.Revision,
		To:      after.Revision,
		Changes: []Change{},
	}
	was, is := statesOf(before), statesOf(after)
	old := minersOf(before)
	for i := range after.Outcome.Miners {
		m := &after.Outcome.Miners[i]
		out := m.Failed // what keeps the miner out since this revision; "" for nothing
		change := Change{UID: m.UID, Score: Figures{New: m.TotalScore}, Issues: Figures{New: m.IssueDiscoveryScore}}
		if former := old[m.UID]; former != nil {
			change.Score.Old, change.Issues.Old = former.TotalScore, former.IssueDiscoveryScore
			if former.Failed == m.Failed {
				out = input.NoFailure
			}
		}
		change.Reward = Figures{rewardOf(before, m.UID), rewardOf(after, m.UID)}
		scored := change.Score.changed() || change.Issues.changed()
		if scored || change.Reward.changed() || was[m.UID] != is[m.UID] {
			change.Reason = reason(was[m.UID], is[m.UID], out, slices.Contains(after.Replayed, m.UID), scored)
			c.Changes = append(c.Changes, change)
		}
	}
	return c
}

// reason says why a miner's figures differ: what became of its own job, or of
// the others'.
func reason(was, is string, out input.Failure, replayed, scored bool) string {
	switch {
	case was != "" && is == "" && out != input.NoFailure:
		return fmt.Sprintf("was %s, takes no part: %s", was, out)
	case was != "" && is == "":
		return "was " + was + ", healed"
	case was != "" && was != is:
		return fmt.Sprintf("was %s, is %s", was, is)
	case was == "" && is != "":
		return "is " + is
	case was != "":
		return "still " + is
	case replayed:
		return "was replayed"
	case scored:
		return "its score depends on another miner's that was replayed"
	}
	return "the scores of others changed"
}

// statesOf are the dead, degraded and unidentified miners of a revision. A dead
// one whose former evaluation stands is dead before all.
func statesOf(r Result) map[int]string {
	states := map[int]string{}
	for _, unknown := range r.UnknownIdentities {
		states[unknown.UID] = "unidentified"
	}
	for _, d := range r.Degraded {
		states[d.UID] = string(ClassDegraded)
	}
	for _, letter := range r.DeadLetters {
		states[letter.UID] = deadAs(letter.Class)
	}
	return states
}

func deadAs(class job.Class) string { return fmt.Sprintf("dead (%s)", class) }

func minersOf(r Result) map[int]*scoring.MinerOutcome {
	miners := make(map[int]*scoring.MinerOutcome, len(r.Outcome.Miners))
	for i := range r.Outcome.Miners {
		miners[r.Outcome.Miners[i].UID] = &r.Outcome.Miners[i]
	}
	return miners
}

func rewardOf(r Result, uid int) float64 {
	at, found := slices.BinarySearchFunc(r.Outcome.Rewards, uid, func(r scoring.Reward, uid int) int { return r.UID - uid })
	if !found {
		return 0
	}
	return r.Outcome.Rewards[at].Reward
}
