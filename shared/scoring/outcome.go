package scoring

import (
	"time"

	"mirrorfleet/shared/scoring/input"
)

// RoundInput is everything that a round is concluded from. The same input
// gives the same outcome, byte for byte, in whatever order it was put together.
type RoundInput struct {
	AsOf   time.Time
	Miners []input.Miner
	// Registry is the round's.
	Registry input.Registry
	// Evaluations by uid; an absent one is a dead letter, or a miner that was
	// never evaluated.
	Evaluations map[int]Evaluation
	// Stored are the last good evaluations by uid, as they were before the
	// round.
	Stored map[int]StoredEvaluation
	// Maintainers by lower-cased repository, for those with a maintainer's
	// cut; an absent one is a look-up that failed.
	Maintainers map[string][]Maintainer
}

// Outcome is what the rules make of a round.
type Outcome struct {
	AsOf time.Time `json:"as_of"`
	// FromStored are the uids that went on with their stored pull requests.
	FromStored []int `json:"from_stored"`
	// SharedAccount are the uids that were failed for sharing an account.
	SharedAccount []int `json:"shared_account"`
	// Maintainers are the uids of each repository's maintainers, for
	// repositories with a cut that have any.
	Maintainers map[string][]int `json:"maintainers"`
	// Rewards are ordered by uid.
	Rewards []Reward `json:"rewards"`
	Sum     float64  `json:"sum"` // of the rewards
	// Untaken is the share that nobody takes, because the recycle uid or the
	// treasury is not among the miners: with Sum it is 1.
	Untaken  float64              `json:"untaken"`
	Pool     Pool                 `json:"pool"`
	Emission []RepositoryEmission `json:"emission"` // in the registry's order
	Miners   []MinerOutcome       `json:"miners"`   // ordered by uid

	// Stored is what is to be done to the stored evaluations, ordered by uid;
	// the uids that are not named keep theirs. It is no part of the outcome's
	// JSON: it is work for whoever concludes.
	Stored []StoredChange `json:"-"`
}

// Reward is one miner's part of the emission.
type Reward struct {
	UID    int     `json:"uid"`
	Reward float64 `json:"reward"`
}

// MinerOutcome is one miner of a concluded round.
type MinerOutcome struct {
	PullFigures
	IssueFigures

	UID      int           `json:"uid"`
	Hotkey   string        `json:"hotkey"`
	GitHubID string        `json:"github_id"` // "0" for who failed before it was known
	Failed   input.Failure `json:"failed"`
	// SharedWith are the other uids of a shared account.
	SharedWith []int `json:"shared_with,omitempty"`
	// FetchFailed says that the pull requests could not be listed, FromStored
	// that the stored ones took their place, which a round of StoredAsOf loaded.
	FetchFailed bool      `json:"fetch_failed,omitempty"`
	FromStored  bool      `json:"from_stored,omitempty"`
	StoredAsOf  time.Time `json:"stored_as_of,omitzero"`
	// IssuesFailed says that the issues could not be listed, OpenIssuesFailed
	// that the open ones could not, IssuesIncomplete that a solving pull
	// request's score could not be had.
	IssuesFailed     bool `json:"issues_failed,omitempty"`
	OpenIssuesFailed bool `json:"open_issues_failed,omitempty"`
	IssuesIncomplete bool `json:"issues_incomplete,omitempty"`
	// UniqueRepositories counts those of scored merged pull requests.
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

// PullFigures are a miner's figures of pull requests, in one repository or in
// all.
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

// IssueFigures are a miner's figures of issues, in one repository or in all.
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

// RepositoryOutcome is what one repository gives a miner.
type RepositoryOutcome struct {
	PullFigures
	IssueFigures

	Repository string `json:"repository_full_name"`
	// PullGate and IssueGate are nil where nothing was there to be judged.
	PullGate  *Gate `json:"pull_gate,omitempty"`
	IssueGate *Gate `json:"issue_gate,omitempty"`

	baseWhole bool // see Repository.fixedWhole
}

// Gate is why a repository does or does not pay a miner, with its thresholds.
// Count and Least are the merged pull requests, or the valid solved issues.
type Gate struct {
	Code             Code    `json:"code"`
	Count            int     `json:"count"`
	Least            int     `json:"least"`
	Credibility      float64 `json:"credibility"`
	LeastCredibility float64 `json:"least_credibility"`
	// Spam, reached by who is eligible: so many are open, and so many may be.
	// The threshold is OpenBase, one more for each OpenPerSlot of the token
	// score, and OpenMost at most.
	Open           int     `json:"open"`
	OpenThreshold  *int    `json:"open_threshold,omitempty"`
	OpenBase       int     `json:"open_base,omitempty"`
	OpenPerSlot    float64 `json:"open_per_slot,omitempty"`
	OpenMost       int     `json:"open_most,omitempty"`
	TokenScore     float64 `json:"token_score"`
	SpamMultiplier float64 `json:"spam_multiplier"`
}

// PullRequestOutcome is one pull request with what it earns or holds back.
type PullRequestOutcome struct {
	ScoredPullRequest

	OpenPRSpamMultiplier float64 `json:"open_pr_spam_multiplier"`
	EarnedScore          float64 `json:"earned_score"`
	CollateralScore      float64 `json:"collateral_score"`
	// Collateral is how an open one's collateral came about.
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

// IssueOutcome is one issue and what became of it.
type IssueOutcome struct {
	Repository     string         `json:"repository"`
	Number         int            `json:"number"`
	PullRequest    int            `json:"pr_number,omitempty"`
	Classification Classification `json:"classification"`
	Reason         Reason         `json:"reason"`
	// Labels, TimeDecay and Review say how the multipliers of a scoring issue
	// came about.
	Labels    []LabelReason `json:"labels,omitempty"`
	TimeDecay *DecayReason  `json:"time_decay,omitempty"`
	Review    *ReviewReason `json:"review_quality,omitempty"`
}

// ByUID holds a figure of each miner that has one.
type ByUID map[int]float64

// RepositoryEmission is how one repository's slice was split.
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
	// Active says that a side that pays has scores; ScoringShare is what is
	// left after the maintainers' cut. See Pool.
	Active       bool    `json:"active"`
	ScoringShare float64 `json:"scoring_share"`
}

// Pool is what the repositories' slices were cut from.
type Pool struct {
	ConfiguredShare    float64 `json:"configured_share"`     // of all repositories
	ScoringShare       float64 `json:"scoring_share"`        // after the maintainers' cuts
	ActiveScoringShare float64 `json:"active_scoring_share"` // of the active repositories alone
	Multiplier         float64 `json:"multiplier"`           // scoring over active
	Recycled           float64 `json:"recycled"`             // to UID 0, when it takes part
	Treasury           float64 `json:"treasury"`             // to UID 111, 0 when it is not among the uids
}
