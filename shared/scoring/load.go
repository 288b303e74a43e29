package scoring

import "mirrorfleet/shared/scoring/input"

// Loaded are a miner's pull requests, sorted by state. Each list is in the order
// received, which decides the order of sums.
type Loaded struct {
	Merged, Open, Closed []PullRequest
	Dropped              []Dropped
}

// Dropped is a pull request that does not count, with the rule that drops it.
type Dropped struct {
	Repository string `json:"repository"`
	Number     int    `json:"number"`
	State      State  `json:"state"`
	Reason     Reason `json:"reason"`
}

// Load sorts a miner's pull requests by docs/rules/scoring.md#loading and
// docs/rules/scoring.md#merge-gate. The pull requests must be in the order
// received.
func Load(pulls []PullRequest, reg input.Registry) Loaded {
	var loaded Loaded
	for i := range pulls {
		pr := &pulls[i]
		if reason := dropped(pr, reg); reason != nil {
			loaded.Dropped = append(loaded.Dropped, Dropped{pr.Repository, pr.Number, pr.State, *reason})
			continue
		}
		switch pr.State {
		case Merged:
			loaded.Merged = append(loaded.Merged, *pr)
		case Open:
			loaded.Open = append(loaded.Open, *pr)
		case Closed:
			loaded.Closed = append(loaded.Closed, *pr)
		}
	}
	return loaded
}

// dropped is the reason why a pull request is not loaded, or nil. A merged one that
// the gate rejects does not count as closed either.
func dropped(pr *PullRequest, reg input.Registry) *Reason {
	repo, found := reg.Repository(pr.Repository)
	if !found {
		return reject(DropUnknownRepository)
	}
	if IsMaintainer(pr.AuthorAssociation) {
		return reject(DropMaintainer, "author_association", pr.AuthorAssociation)
	}
	switch pr.State {
	case Open, Closed:
		return nil
	case Merged:
		return mergeGate(pr, repo)
	}
	return reject(DropUnknownState, "state", string(pr.State))
}
