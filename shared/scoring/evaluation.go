package scoring

import (
	"time"

	"mirrorfleet/shared/scoring/tokens"
)

// Evaluation is what a worker concludes of one miner: everything that the
// rules need of it, and nothing that needs another miner.
type Evaluation struct {
	UID      int    `json:"uid"`
	Hotkey   string `json:"hotkey"`
	GitHubID string `json:"github_id"`
	// FetchFailed says that the pull requests could not be listed. The miner takes
	// docs/rules/scoring.md#fallback-and-shared-accounts.
	FetchFailed bool                `json:"fetch_failed,omitempty"`
	Merged      []ScoredPullRequest `json:"merged"`
	Open        []ScoredPullRequest `json:"open"`
	Closed      []ScoredPullRequest `json:"closed"`
	// Dropped are the pull requests that do not count, in the order received.
	Dropped []Dropped `json:"dropped,omitempty"`
	// Issues is nil when the windowed look-up failed or was not made.
	Issues *IssueAnswers `json:"issues,omitempty"`
}

// ScoredPullRequest is one loaded pull request with its figures. What depends
// on the miner's other pull requests (spam, earnings, collateral) is not here:
// see PullRequestOutcome.
type ScoredPullRequest struct {
	Repository                      string    `json:"repository"`
	Number                          int       `json:"number"`
	Title                           string    `json:"title,omitempty"`
	State                           State     `json:"state"`
	CreatedAt                       time.Time `json:"created_at,omitzero"`
	MergedAt                        time.Time `json:"merged_at,omitzero"`
	MaintainerChangesRequestedCount int       `json:"maintainer_changes_requested_count,omitempty"`
	// Scored is false when docs/rules/scoring.md#base-score left the pull request
	// unscored.
	Scored bool `json:"scored"`

	BaseScore        float64 `json:"base_score"`
	TokenScore       float64 `json:"token_score"`
	StructuralCount  int     `json:"structural_count"`
	StructuralScore  float64 `json:"structural_score"`
	LeafCount        int     `json:"leaf_count"`
	LeafScore        float64 `json:"leaf_score"`
	TotalNodesScored int     `json:"total_nodes_scored"`

	IssueMultiplier         float64 `json:"issue_multiplier"`
	TimeDecayMultiplier     float64 `json:"time_decay_multiplier"`
	ReviewQualityMultiplier float64 `json:"review_quality_multiplier"`
	LabelMultiplier         float64 `json:"label_multiplier"`
	// Label is the chosen label, lower-cased; nil for none.
	Label *string `json:"label"`

	Reasons PullReasons `json:"reasons"`
	// Listed is what the mirror's list says of it beyond the rules' needs.
	Listed *Listed `json:"listed,omitempty"`
	// Tokens is how each file came by its score; nil without files, and in
	// what is kept of a round (outcomes, stored evaluations).
	Tokens *tokens.Figures `json:"tokens,omitempty"`
}

// PullReasons say why a pull request's figures are what they are. Those of
// rules that were not reached are empty.
type PullReasons struct {
	Base         Reason         `json:"base"`
	Labels       []LabelReason  `json:"labels,omitempty"`
	Issue        *IssueReason   `json:"issue,omitempty"`
	LinkedIssues []LinkedReason `json:"linked_issues,omitempty"`
	TimeDecay    *DecayReason   `json:"time_decay,omitempty"`
	Review       *ReviewReason  `json:"review_quality,omitempty"`
}

// IssueAnswers is what the mirror says of a miner's issues.
type IssueAnswers struct {
	// Listed is the windowed list, in the order received.
	Listed []Issue `json:"listed"`
	// Open counts the currently open issues per repository of the registry
	// (CountOpen); OpenFailed says that they could not be listed.
	Open       map[string]int `json:"open,omitempty"`
	OpenFailed bool           `json:"open_failed,omitempty"`
	// Solving is what each solving pull request scores that the worker looked
	// at (SolvingPulls).
	Solving []SolvingScore `json:"solving,omitempty"`
}

// SolvingPull is a pull request that solved an issue and must be scored.
type SolvingPull struct {
	Repository   string    `json:"repository"`
	Number       int       `json:"number"`
	MergedAt     time.Time `json:"merged_at,omitzero"`
	HeadSHA      string    `json:"head_sha,omitempty"`
	BaseSHA      string    `json:"base_sha,omitempty"`
	MergeBaseSHA string    `json:"merge_base_sha,omitempty"`
}

// SolvingScore is what a solving pull request scores. Unavailable says that
// its files could not be had, or that the mirror stores none:
// docs/rules/scoring.md#solving-score.
type SolvingScore struct {
	Repository  string  `json:"repository"`
	Number      int     `json:"number"`
	Unavailable bool    `json:"unavailable,omitempty"`
	BaseScore   float64 `json:"base_score"`
	TokenScore  float64 `json:"token_score"`
}
