package input

import (
	"time"

	"mirrorfleet/shared/scoring/python"
)

// Registry is the repositories that a round scores, in the order of the file:
// the emission is listed in that order.
type Registry struct {
	Repositories []Repository
	// Ignored are settings that no rule knows, as "owner/repo: key". The
	// validator passes over them, so they refuse nothing; they may be typos.
	Ignored []string

	index map[string]int // by lower-cased name
}

// Repository is one entry of the registry with every default filled in.
type Repository struct {
	Name                   string // lower-cased
	EmissionShare          float64
	IssueDiscoveryShare    float64
	MaintainerCut          float64 // capped at maxMaintainerCut
	AdditionalBranches     []string
	TrustedLabelPipeline   bool
	LabelMultipliers       []LabelMultiplier // in file order
	DefaultLabelMultiplier float64
	// FixedBaseScore replaces the base score when it is not nil.
	FixedBaseScore *float64
	Eligibility    Eligibility
	Scoring        Scoring

	// FixedBaseWhole says that the fixed base score is written as an integer,
	// which decides how sums of it are rounded.
	FixedBaseWhole bool
}

// LabelMultiplier is a glob over lower-cased label names with what a label that
// it matches multiplies by.
type LabelMultiplier struct {
	Pattern    string
	Multiplier float64
}

// Eligibility are a repository's gates and thresholds.
type Eligibility struct {
	MinValidMergedPRs               int
	MinCredibility                  float64
	ExcessivePRPenaltyBaseThreshold int
	OpenPRThresholdTokenScore       float64
	MaxOpenPRThreshold              int
	MinValidSolvedIssues            int
	MinIssueCredibility             float64
	MinTokenScoreForValidIssue      float64
	OpenIssueSpamBaseThreshold      int
	OpenIssueSpamTokenScorePerSlot  float64
	MaxOpenIssueThreshold           int
}

// Scoring are a repository's figures of the multipliers.
type Scoring struct {
	PRLookbackDays            int
	OpenPRCollateralPercent   float64
	ReviewPenaltyRate         float64
	StandardIssueMultiplier   float64
	MaintainerIssueMultiplier float64
	SrcTokSaturationScale     float64
	TimeDecay                 TimeDecay
}

// TimeDecay is the curve that a merge loses its worth along.
type TimeDecay struct {
	GracePeriodHours    int
	SigmoidMidpointDays float64
	SigmoidSteepness    float64
	MinMultiplier       float64
}

// maxMaintainerCut is the most that a repository may give its maintainers.
const maxMaintainerCut = 0.5

// DefaultRepository is a repository with nothing set: docs/rules/scoring.md#registry.
func DefaultRepository(name string) Repository {
	return Repository{
		Name:                   name,
		IssueDiscoveryShare:    0.5,
		DefaultLabelMultiplier: 1,
		Eligibility: Eligibility{
			MinValidMergedPRs:               3,
			MinCredibility:                  0.80,
			ExcessivePRPenaltyBaseThreshold: 2,
			OpenPRThresholdTokenScore:       300,
			MaxOpenPRThreshold:              30,
			MinValidSolvedIssues:            3,
			MinIssueCredibility:             0.80,
			MinTokenScoreForValidIssue:      5,
			OpenIssueSpamBaseThreshold:      2,
			OpenIssueSpamTokenScorePerSlot:  300,
			MaxOpenIssueThreshold:           30,
		},
		Scoring: Scoring{
			PRLookbackDays:            30,
			OpenPRCollateralPercent:   0.20,
			ReviewPenaltyRate:         0.15,
			StandardIssueMultiplier:   1.33,
			MaintainerIssueMultiplier: 1.66,
			SrcTokSaturationScale:     58,
			TimeDecay: TimeDecay{
				GracePeriodHours:    12,
				SigmoidMidpointDays: 10,
				SigmoidSteepness:    0.4,
				MinMultiplier:       0.05,
			},
		},
	}
}

// Repository finds a repository by its name, however it is cased.
func (r Registry) Repository(name string) (*Repository, bool) {
	i, found := r.index[name]
	if !found {
		i, found = r.index[python.Lower(name)]
	}
	if !found {
		return nil, false
	}
	return &r.Repositories[i], true
}

// Windows says for each repository since when its pull requests and issues
// count: as_of − pr_lookback_days.
func (r Registry) Windows(asOf time.Time) map[string]time.Time {
	windows := make(map[string]time.Time, len(r.Repositories))
	for i := range r.Repositories {
		repo := &r.Repositories[i]
		// Days of 24 hours: the instants are UTC, which has no others.
		windows[repo.Name] = asOf.UTC().Add(-time.Duration(repo.Scoring.PRLookbackDays) * 24 * time.Hour)
	}
	return windows
}
