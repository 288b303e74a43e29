package scoring

import (
	"time"

	"mirrorfleet/shared/scoring/input"
)

// RoundInput is everything that a round is concluded from. The same input gives the
// same outcome, byte for byte, in whatever order miners and maps were filled.
type RoundInput struct {
	AsOf time.Time
	// IssuesAsOf are the instants by which single issues decay, where that is not AsOf: a
	// validator scores them one after the other (package shadow). A round has none.
	IssuesAsOf map[IssueName]time.Time
	Miners     []input.Miner
	// Registry is the one that the round was planned with.
	Registry input.Registry
	// Evaluations are by uid. One is absent when the job ended as a dead letter
	// without an evaluation, or when the miner failed before it was evaluated.
	Evaluations map[int]Evaluation
	// Stored are the last good evaluations by uid, as they were when the round began.
	Stored map[int]StoredEvaluation
	// Maintainers are by lower-cased repository, for repositories with a maintainer
	// cut. An absent entry is a look-up that failed: there is no cut then.
	Maintainers map[string][]Maintainer
}

// IssueName names an issue, by the lower-cased name of its repository.
type IssueName struct {
	Repository string
	Number     int
}

// Outcome is the result of a round under the rules.
type Outcome struct {
	AsOf time.Time `json:"as_of"`
	// FromStored are the uids that took the fallback.
	FromStored []int `json:"from_stored"`
	// SharedAccount are the uids that failed because they share an account.
	SharedAccount []int `json:"shared_account"`
	// Maintainers are the uids of each repository's maintainers. A repository
	// without a cut, or none of whose maintainers is a miner, is absent.
	Maintainers map[string][]int `json:"maintainers"`
	// Rewards are ordered by uid.
	Rewards []Reward `json:"rewards"`
	Sum     float64  `json:"sum"` // of the rewards
	// Untaken is the share that nobody gets, because the recycle uid or the treasury
	// is not among the miners. Sum and Untaken add up to 1.
	Untaken  float64              `json:"untaken"`
	Pool     Pool                 `json:"pool"`
	Emission []RepositoryEmission `json:"emission"` // in the registry's order
	Miners   []MinerOutcome       `json:"miners"`   // ordered by uid

	// Stored are the changes to the stored evaluations, ordered by uid. A uid that is
	// not named keeps its evaluation. They are not in the JSON: the producer applies
	// them after it has stored the outcome.
	Stored []StoredChange `json:"-"`
}

// Reward is one miner's part of the emission.
type Reward struct {
	UID    int     `json:"uid"`
	Reward float64 `json:"reward"`
}

// MinerOutcome is the outcome of one miner.
type MinerOutcome struct {
	PullFigures
	IssueFigures

	UID      int           `json:"uid"`
	Hotkey   string        `json:"hotkey"`
	GitHubID string        `json:"github_id"` // "0" for a miner that failed before its id was looked up
	Failed   input.Failure `json:"failed"`
	// SharedWith are the other uids of a shared account.
	SharedWith []int `json:"shared_with,omitempty"`
	// FetchFailed says that the pull requests could not be listed. FromStored says
	// that the stored ones took their place; the round of StoredAsOf had loaded them.
	FetchFailed bool      `json:"fetch_failed,omitempty"`
	FromStored  bool      `json:"from_stored,omitempty"`
	StoredAsOf  time.Time `json:"stored_as_of,omitzero"`
	// IssuesFailed says that the windowed issues could not be listed, OpenIssuesFailed
	// that the open ones could not. IssuesIncomplete says that the score of a solving
	// pull request is unavailable: the issue figures do not replace the stored ones.
	IssuesFailed     bool `json:"issues_failed,omitempty"`
	OpenIssuesFailed bool `json:"open_issues_failed,omitempty"`
	IssuesIncomplete bool `json:"issues_incomplete,omitempty"`
	// UniqueRepositories counts the repositories of the merged pull requests that
	// were scored.
	UniqueRepositories int `json:"unique_repositories"`

	Repositories []RepositoryOutcome  `json:"repositories"`  // by name
	PullRequests []PullRequestOutcome `json:"pull_requests"` // merged, open, closed, each in the order received
	ScoredIssues []ScoredIssue        `json:"scored_issues"`
	Dropped      []Dropped            `json:"dropped,omitempty"`
	Issues       []IssueOutcome       `json:"issues,omitempty"`
}

// MergedPRs counts the merged pull requests that were loaded.
func (m *MinerOutcome) MergedPRs() int { return m.TotalMergedPRs }

// OpenPRs counts the open pull requests that were loaded.
func (m *MinerOutcome) OpenPRs() int { return m.TotalOpenPRs }

// ClosedPRs counts the closed pull requests that were loaded.
func (m *MinerOutcome) ClosedPRs() int { return m.TotalClosedPRs }

// PullFigures are a miner's counts and scores of pull requests, in one repository or
// in all of them. Scores and nodes are sums over the merged ones, the collateral is a sum
// over the open ones.
type PullFigures struct {
	Eligible             bool    `json:"is_eligible"`
	Credibility          float64 `json:"credibility"`
	BaseTotalScore       float64 `json:"base_total_score"`
	TotalScore           float64 `json:"total_score"`
	TotalCollateralScore float64 `json:"total_collateral_score"`
	TotalNodesScored     int     `json:"total_nodes_scored"`
	TotalTokenScore      float64 `json:"total_token_score"`
	TotalStructuralCount int     `json:"total_structural_count"`
	TotalStructuralScore float64 `json:"total_structural_score"`
	TotalLeafCount       int     `json:"total_leaf_count"`
	TotalLeafScore       float64 `json:"total_leaf_score"`
	TotalMergedPRs       int     `json:"total_merged_prs"`
	TotalOpenPRs         int     `json:"total_open_prs"`
	TotalClosedPRs       int     `json:"total_closed_prs"`
}

// IssueFigures are a miner's counts and scores of issues, in one repository or in
// all of them.
type IssueFigures struct {
	IssueEligible          bool    `json:"is_issue_eligible"`
	IssueCredibility       float64 `json:"issue_credibility"`
	IssueDiscoveryScore    float64 `json:"issue_discovery_score"`
	IssueTokenScore        float64 `json:"issue_token_score"`
	TotalSolvedIssues      int     `json:"total_solved_issues"`
	TotalValidSolvedIssues int     `json:"total_valid_solved_issues"`
	TotalClosedIssues      int     `json:"total_closed_issues"`
	TotalOpenIssues        int     `json:"total_open_issues"`
}

// RepositoryOutcome is a miner's outcome in one repository.
type RepositoryOutcome struct {
	PullFigures
	IssueFigures

	Repository string `json:"repository_full_name"`
	// PullGate is nil without pull requests, IssueGate without issues and open counts.
	PullGate  *Gate `json:"pull_gate,omitempty"`
	IssueGate *Gate `json:"issue_gate,omitempty"`

	baseWhole bool // every base score is an integer to the validator (ScoredPullRequest.BaseWhole)
}

// Gate is why a repository does or does not pay a miner, with its thresholds.
// Count and Minimum are the merged pull requests, or the valid solved issues.
type Gate struct {
	Code           Code    `json:"code"`
	Count          int     `json:"count"`
	Minimum        int     `json:"least"`
	Credibility    float64 `json:"credibility"`
	MinCredibility float64 `json:"least_credibility"`
	// The rest is about spam. Open items may not exceed OpenThreshold, which is
	// OpenBase plus one for each OpenPerSlot of the token score, at most MaxOpen. It
	// is nil for a miner that is not eligible: spam is not looked at then.
	Open           int     `json:"open"`
	OpenThreshold  *int    `json:"open_threshold,omitempty"`
	OpenBase       int     `json:"open_base,omitempty"`
	OpenPerSlot    float64 `json:"open_per_slot,omitempty"`
	MaxOpen        int     `json:"open_most,omitempty"`
	TokenScore     float64 `json:"token_score"`
	SpamMultiplier float64 `json:"spam_multiplier"`
}

// PullRequestOutcome is one pull request with the score that it earns (merged) or
// holds back (open).
type PullRequestOutcome struct {
	ScoredPullRequest

	OpenPRSpamMultiplier float64 `json:"open_pr_spam_multiplier"`
	EarnedScore          float64 `json:"earned_score"`
	CollateralScore      float64 `json:"collateral_score"`
	// Collateral explains the collateral of an open pull request; nil for others.
	Collateral *CollateralReason `json:"collateral,omitempty"`
}

// ScoredIssue is one issue that scores.
type ScoredIssue struct {
	Repository              string  `json:"repository_full_name"`
	Number                  int     `json:"number"`
	PullRequest             int     `json:"pr_number"`
	BaseScore               float64 `json:"discovery_base_score"`
	EarnedScore             float64 `json:"discovery_earned_score"`
	ReviewQualityMultiplier float64 `json:"discovery_review_quality_multiplier"`
	TimeDecayMultiplier     float64 `json:"discovery_time_decay_multiplier"`
	CredibilityMultiplier   float64 `json:"discovery_credibility_multiplier"`
	OpenSpamMultiplier      float64 `json:"discovery_open_issue_spam_multiplier"`
	LabelMultiplier         float64 `json:"discovery_label_multiplier"`
}

// Classification is what an issue counts as.
type Classification string

// The classifications.
const (
	IssueIgnored Classification = "ignored"
	IssueClosed  Classification = "closed" // counts against credibility
	IssueSolved  Classification = "solved"
)

// IssueOutcome is one issue and how it was judged.
type IssueOutcome struct {
	Repository     string         `json:"repository"`
	Number         int            `json:"number"`
	PullRequest    int            `json:"pr_number,omitempty"`
	Classification Classification `json:"classification"`
	Reason         Reason         `json:"reason"`
	// Labels, TimeDecay and Review explain the multipliers of a scoring issue.
	Labels    []LabelReason `json:"labels,omitempty"`
	TimeDecay *DecayReason  `json:"time_decay,omitempty"`
	Review    *ReviewReason `json:"review_quality,omitempty"`
}

// ByUID has a score or a reward by uid. A miner without one is absent.
type ByUID map[int]float64

// RepositoryEmission says how the slice of one repository was split:
// docs/rules/scoring.md#rewards. Rewards and slices are shares of the whole emission.
type RepositoryEmission struct {
	Repository            string  `json:"repository_full_name"`
	EmissionShare         float64 `json:"emission_share"`
	IssueDiscoveryShare   float64 `json:"issue_discovery_share"`
	RepoSlice             float64 `json:"repo_slice"`
	MaintainerCut         float64 `json:"maintainer_cut"`
	MaintainerCarveOut    float64 `json:"maintainer_carve_out"`
	MaintainerRewards     ByUID   `json:"maintainer_rewards"`
	PRSlice               float64 `json:"pr_slice"`
	IssueDiscoverySlice   float64 `json:"issue_discovery_slice"`
	PRScores              ByUID   `json:"pr_scores"`
	IssueDiscoveryScores  ByUID   `json:"issue_discovery_scores"`
	PRRewards             ByUID   `json:"pr_rewards"`
	IssueDiscoveryRewards ByUID   `json:"issue_discovery_rewards"`
	RecycledAmount        float64 `json:"recycled_amount"`
	// Active says that a side with a share above 0 has scores. ScoringShare is the
	// emission share after the maintainers' cut. See Pool.
	Active       bool    `json:"active"`
	ScoringShare float64 `json:"scoring_share"`
}

// Pool is the emission that the repositories' slices are cut from, as shares of the
// whole. Inactive repositories pass their share on to the active ones by Multiplier.
type Pool struct {
	ConfiguredShare    float64 `json:"configured_share"`     // of all repositories
	ScoringShare       float64 `json:"scoring_share"`        // after the maintainers' cuts
	ActiveScoringShare float64 `json:"active_scoring_share"` // of the active repositories alone
	Multiplier         float64 `json:"multiplier"`           // scoring over active
	Recycled           float64 `json:"recycled"`             // to UID 0, when it takes part
	Treasury           float64 `json:"treasury"`             // to UID 111, 0 when it is not among the uids
}
