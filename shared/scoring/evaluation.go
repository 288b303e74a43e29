package scoring

// Evaluation is what a worker concludes of one miner: everything that the
// rules need of it, and nothing that needs another miner.
type Evaluation struct {
	UID      int    `json:"uid"`
	Hotkey   string `json:"hotkey"`
	GitHubID string `json:"github_id"`
	// FetchFailed says that the pull requests could not be listed: section 8.
	FetchFailed bool                `json:"fetch_failed,omitempty"`
	Merged      []ScoredPullRequest `json:"merged"`
	Open        []ScoredPullRequest `json:"open"`
	Closed      []ScoredPullRequest `json:"closed"`
}

// ScoredPullRequest is one loaded pull request with its figures.
type ScoredPullRequest struct {
	Repository string `json:"repository"`
	Number     int    `json:"number"`
}
