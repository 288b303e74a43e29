package export

import (
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/scoring"
)

// Kind names one kind of rows.
type Kind string

// The kinds, in the order in which they are written.
const (
	Miners  Kind = "miners"
	Pulls   Kind = "pulls"
	Issues  Kind = "issues"
	Rewards Kind = "rewards"
)

// Kinds are all kinds.
func Kinds() []Kind { return []Kind{Miners, Pulls, Issues, Rewards} }

// heading begins every row. Round, revision and uid are the key of a row in a database; a
// pull request or an issue adds its repository and number. The kind is no column of CSV, where
// a file has rows of one kind.
type heading struct {
	Kind     Kind      `csv:"-"         json:"kind"`
	Round    string    `json:"round"`
	Revision int       `json:"revision"` // from 1; a replay makes the next one
	AsOf     time.Time `json:"as_of"`    // the instant that all scores of the round refer to
	UID      int       `json:"uid"`
}

// The fields of the row types are the columns, in this order (see columns). docs/export.md
// describes each column. Published names do not change, so some differ from the field's.

// minerRow is one miner. The numbers of a miner that failed a rule are 0.
type minerRow struct {
	heading

	Hotkey   string `json:"hotkey"`
	GitHubID string `json:"github_id"` // "0" for a miner that failed before its id was looked up
	// Failed is why the miner takes no part, "" if it does.
	Failed string `json:"failed"`
	// What stands in or is missing. FromStored: the pull requests are those of the stored
	// evaluation. FetchFailed and IssuesFailed: they could not be listed. IssuesIncomplete:
	// the score of a solving pull request could not be obtained.
	FromStored       bool `json:"from_stored"`
	FetchFailed      bool `json:"fetch_failed"`
	IssuesFailed     bool `json:"issues_failed"`
	IssuesIncomplete bool `json:"issues_incomplete"`
	// Sums over all repositories. Eligible says whether pull requests earn at all.
	Eligible         bool    `json:"is_eligible"`
	MergedPRs        int     `json:"merged_prs"`
	OpenPRs          int     `json:"open_prs"`
	ClosedPRs        int     `json:"closed_prs"`
	Repositories     int     `json:"unique_repositories"`
	Credibility      float64 `json:"credibility"`
	BaseScore        float64 `json:"base_total_score"`
	Score            float64 `json:"total_score"`
	Collateral       float64 `json:"total_collateral_score"` // held back for open pull requests; Score is less by it
	TokenScore       float64 `json:"total_token_score"`
	Nodes            int     `json:"total_nodes_scored"`
	IssueEligible    bool    `json:"is_issue_eligible"`
	SolvedIssues     int     `json:"solved_issues"`
	ValidIssues      int     `json:"valid_solved_issues"`
	ClosedIssues     int     `json:"closed_issues"`
	OpenIssues       int     `json:"open_issues"`
	IssueCredibility float64 `json:"issue_credibility"`
	IssueScore       float64 `json:"issue_discovery_score"`
	Reward           float64 `json:"reward"` // the part of the emission, 0 to 1
}

// pullRow is one pull request, loaded or dropped.
type pullRow struct {
	heading

	Repository string     `json:"repository"`
	Number     int        `json:"number"`
	Title      string     `json:"title"` // a stranger's text
	State      string     `json:"state"`
	CreatedAt  *time.Time `json:"created_at"`
	MergedAt   *time.Time `json:"merged_at"`
	// Dropped is the rule by which the pull request does not count; "" if it counts.
	// Reason is the code that explains its base score.
	Dropped string `json:"dropped"`
	Reason  string `json:"reason"`
	// Scored is false when docs/rules/scoring.md#base-score left the pull request unscored.
	Scored          bool    `json:"scored"`
	BaseScore       float64 `json:"base_score"`
	TokenScore      float64 `json:"token_score"`
	StructuralCount int     `json:"structural_count"`
	StructuralScore float64 `json:"structural_score"`
	LeafCount       int     `json:"leaf_count"`
	LeafScore       float64 `json:"leaf_score"`
	Nodes           int     `json:"total_nodes_scored"`
	Label           string  `json:"label"` // the one that decides LabelFactor; "" for none
	IssueFactor     float64 `json:"issue_multiplier"`
	LabelFactor     float64 `json:"label_multiplier"`
	DecayFactor     float64 `json:"time_decay_multiplier"`
	ReviewFactor    float64 `json:"review_quality_multiplier"`
	SpamFactor      float64 `json:"open_pr_spam_multiplier"`
	Earned          float64 `json:"earned_score"`
	Collateral      float64 `json:"collateral_score"`
}

// issueRow is one issue. The numbers of an issue that does not score are 0.
type issueRow struct {
	heading

	Repository        string  `json:"repository"`
	Number            int     `json:"number"`
	PullRequest       int     `json:"pr_number"`
	Classification    string  `json:"classification"`
	Reason            string  `json:"reason"`
	BaseScore         float64 `json:"base_score"`
	LabelFactor       float64 `json:"label_multiplier"`
	DecayFactor       float64 `json:"time_decay_multiplier"`
	ReviewFactor      float64 `json:"review_quality_multiplier"`
	CredibilityFactor float64 `json:"credibility_multiplier"`
	SpamFactor        float64 `json:"open_issue_spam_multiplier"`
	Earned            float64 `json:"earned_score"`
}

// rewardRow is one uid's reward.
type rewardRow struct {
	heading

	Hotkey string  `json:"hotkey"`
	Reward float64 `json:"reward"`
	Share  float64 `json:"share"` // of the sum of all rewards
}

// maker makes the rows of one round. It holds what every row needs: the outcome's head and
// the rewards, by uid.
type maker struct {
	round   outcome.Result
	rewards map[int]float64
}

func newMaker(r outcome.Result) *maker {
	m := &maker{round: r, rewards: make(map[int]float64, len(r.Outcome.Rewards))}
	for _, reward := range r.Outcome.Rewards {
		m.rewards[reward.UID] = reward.Reward
	}
	return m
}

func (k *maker) heading(kind Kind, uid int) heading {
	return heading{kind, k.round.Round, k.round.Revision, k.round.AsOf.UTC(), uid}
}

// rows writes each row of a kind that a miner has. A miner has one row of miners and of
// rewards, even if it failed, and any number of the others.
func (k *maker) rows(kind Kind, m *scoring.MinerOutcome, write func(any) error) error {
	switch kind {
	case Miners:
		return write(k.miner(m))
	case Rewards:
		return write(k.reward(m))
	case Pulls:
		return k.pulls(m, write)
	case Issues:
		return k.issues(m, write)
	}
	return nil
}

func (k *maker) miner(m *scoring.MinerOutcome) minerRow {
	return minerRow{
		heading:          k.heading(Miners, m.UID),
		Hotkey:           m.Hotkey,
		GitHubID:         m.GitHubID,
		Failed:           string(m.Failed),
		FromStored:       m.FromStored,
		FetchFailed:      m.FetchFailed,
		IssuesFailed:     m.IssuesFailed,
		IssuesIncomplete: m.IssuesIncomplete,
		Eligible:         m.Eligible,
		MergedPRs:        m.TotalMergedPRs,
		OpenPRs:          m.TotalOpenPRs,
		ClosedPRs:        m.TotalClosedPRs,
		Repositories:     m.UniqueRepositories,
		Credibility:      m.Credibility,
		BaseScore:        m.BaseTotalScore,
		Score:            m.TotalScore,
		Collateral:       m.TotalCollateralScore,
		TokenScore:       m.TotalTokenScore,
		Nodes:            m.TotalNodesScored,
		IssueEligible:    m.IssueEligible,
		SolvedIssues:     m.TotalSolvedIssues,
		ValidIssues:      m.TotalValidSolvedIssues,
		ClosedIssues:     m.TotalClosedIssues,
		OpenIssues:       m.TotalOpenIssues,
		IssueCredibility: m.IssueCredibility,
		IssueScore:       m.IssueDiscoveryScore,
		Reward:           k.rewards[m.UID],
	}
}

func (k *maker) reward(m *scoring.MinerOutcome) rewardRow {
	row := rewardRow{heading: k.heading(Rewards, m.UID), Hotkey: m.Hotkey, Reward: k.rewards[m.UID]}
	if k.round.Outcome.Sum != 0 { // JSON has no word for NaN
		row.Share = row.Reward / k.round.Outcome.Sum
	}
	return row
}

// pulls writes the loaded pull requests, then the dropped ones. A rule drops a pull request
// before its files are fetched, so the outcome has only its name, its state and the rule.
func (k *maker) pulls(m *scoring.MinerOutcome, write func(any) error) error {
	for i := range m.PullRequests {
		p := &m.PullRequests[i]
		row := pullRow{
			heading:         k.heading(Pulls, m.UID),
			Repository:      p.Repository,
			Number:          p.Number,
			Title:           p.Title,
			State:           string(p.State),
			CreatedAt:       instant(p.CreatedAt),
			MergedAt:        instant(p.MergedAt),
			Reason:          string(p.Reasons.Base.Code),
			Scored:          p.Scored,
			BaseScore:       p.BaseScore,
			TokenScore:      p.TokenScore,
			StructuralCount: p.StructuralCount,
			StructuralScore: p.StructuralScore,
			LeafCount:       p.LeafCount,
			LeafScore:       p.LeafScore,
			Nodes:           p.TotalNodesScored,
			IssueFactor:     p.IssueMultiplier,
			LabelFactor:     p.LabelMultiplier,
			DecayFactor:     p.TimeDecayMultiplier,
			ReviewFactor:    p.ReviewQualityMultiplier,
			SpamFactor:      p.OpenPRSpamMultiplier,
			Earned:          p.EarnedScore,
			Collateral:      p.CollateralScore,
		}
		if p.Label != nil {
			row.Label = *p.Label
		}
		if err := write(row); err != nil {
			return err
		}
	}
	for _, d := range m.Dropped {
		err := write(pullRow{
			heading:    k.heading(Pulls, m.UID),
			Repository: d.Repository,
			Number:     d.Number,
			State:      string(d.State),
			Dropped:    string(d.Reason.Code),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// issues writes every issue that was judged. The outcome has judgements and scores in two
// lists, because not every issue scores. Repository and number join the two.
func (k *maker) issues(m *scoring.MinerOutcome, write func(any) error) error {
	type name struct {
		repository string
		number     int
	}
	scored := map[name]*scoring.ScoredIssue{}
	for i := range m.ScoredIssues {
		s := &m.ScoredIssues[i]
		scored[name{s.Repository, s.Number}] = s
	}
	for i := range m.Issues {
		issue := &m.Issues[i]
		row := issueRow{
			heading:        k.heading(Issues, m.UID),
			Repository:     issue.Repository,
			Number:         issue.Number,
			PullRequest:    issue.PullRequest,
			Classification: string(issue.Classification),
			Reason:         string(issue.Reason.Code),
		}
		if s := scored[name{issue.Repository, issue.Number}]; s != nil {
			row.BaseScore = s.BaseScore
			row.LabelFactor = s.LabelMultiplier
			row.DecayFactor = s.TimeDecayMultiplier
			row.ReviewFactor, row.CredibilityFactor = s.ReviewQualityMultiplier, s.CredibilityMultiplier
			row.SpamFactor, row.Earned = s.OpenSpamMultiplier, s.EarnedScore
		}
		if err := write(row); err != nil {
			return err
		}
	}
	return nil
}

// instant is an instant in UTC, or nil for the zero one: null in JSON, empty in CSV.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC()
	return &utc
}
