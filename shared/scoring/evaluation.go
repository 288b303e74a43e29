package scoring

import (
	"slices"
	"time"

	"mirrorfleet/shared/scoring/tokens"
)

// Evaluation is a worker's result for one miner: everything that the rules need of
// the miner, and nothing that depends on another miner.
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
	// Received is what the mirror said of all of them, in the order received (Facts). No rule
	// reads it once they are scored: package whatif scores them anew with something else true.
	// It is nil in evaluations of versions before it.
	Received []PullRequest `json:"received,omitempty"`
	// Issues is nil when the windowed list of issues could not be fetched, or was not
	// asked for. The miner then keeps its stored issue figures.
	Issues *IssueAnswers `json:"issues,omitempty"`
}

// ScoredPullRequest is one loaded pull request with its scores. Spam multiplier,
// earned score and collateral depend on the miner's other pull requests or on the
// final list; see PullRequestOutcome.
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

	BaseScore float64 `json:"base_score"`
	// BaseWhole says that the base score is an integer to the validator
	// (input.Repository.FixedBaseWhole). A stored pull request keeps the kind that it was
	// scored with.
	BaseWhole        bool    `json:"base_whole,omitempty"`
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
	// Listed is the data of the mirror's list that no rule reads.
	Listed *Listed `json:"listed,omitempty"`
	// Tokens says how each file was scored. It is nil without files, and in outcomes
	// and stored evaluations: it would be most of their size.
	Tokens *tokens.Figures `json:"tokens,omitempty"`
}

// PullReasons explain a pull request's scores. The reasons of rules that were not
// reached are empty.
type PullReasons struct {
	Base         Reason         `json:"base"`
	Labels       []LabelReason  `json:"labels,omitempty"`
	Issue        *IssueReason   `json:"issue,omitempty"`
	LinkedIssues []LinkedReason `json:"linked_issues,omitempty"`
	TimeDecay    *DecayReason   `json:"time_decay,omitempty"`
	Review       *ReviewReason  `json:"review_quality,omitempty"`
}

// IssueAnswers is what the mirror answered about a miner's issues.
type IssueAnswers struct {
	// Listed is the windowed list, in the order received.
	Listed []Issue `json:"listed"`
	// Open counts the issues that were open when the worker asked, per repository
	// of the registry (CountOpen). OpenFailed says that they could not be listed: Open is
	// then nil, and Conclude counts by the windowed list and the stored counts.
	Open       map[string]int `json:"open,omitempty"`
	OpenFailed bool           `json:"open_failed,omitempty"`
	// Solving are the scores of the solving pull requests that the worker scored
	// (SolvingPulls).
	Solving []SolvingScore `json:"solving,omitempty"`
}

// SolvingPull is a pull request that solved an issue and whose files a worker must
// score. The SHAs are part of the key of its cached score.
type SolvingPull struct {
	Repository   string    `json:"repository"`
	Number       int       `json:"number"`
	MergedAt     time.Time `json:"merged_at,omitzero"`
	HeadSHA      string    `json:"head_sha,omitempty"`
	BaseSHA      string    `json:"base_sha,omitempty"`
	MergeBaseSHA string    `json:"merge_base_sha,omitempty"`
}

// SolvingScore is the score of a solving pull request. Unavailable says that its
// files could not be fetched, or that the mirror stores none.
// See docs/rules/scoring.md#solving-score.
type SolvingScore struct {
	Repository  string  `json:"repository"`
	Number      int     `json:"number"`
	Unavailable bool    `json:"unavailable,omitempty"`
	BaseScore   float64 `json:"base_score"`
	TokenScore  float64 `json:"token_score"`
	// Tokens are the figures that it was scored from, without the files. No rule reads them:
	// package whatif scores the pull request anew by another registry.
	Tokens *tokens.Figures `json:"tokens,omitempty"`
}

// Facts copies what the mirror said of pull requests, without their bodies.
func Facts(pulls []PullRequest) []PullRequest {
	facts := slices.Clone(pulls)
	for i := range facts {
		facts[i].Body = nil
	}
	return facts
}
