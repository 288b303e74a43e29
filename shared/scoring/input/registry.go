package input

import (
	"time"

	"mirrorfleet/shared/scoring/python"
)

// Registry is the repositories that a round scores, in the order of the file. The
// emission is computed and listed in that order. It never changes once parsed.
type Registry struct {
	Repositories []Repository
	// Ignored are settings that no rule knows, as "owner/repo: key". They are no
	// errors, because the validator ignores them, but they may be typos.
	Ignored []string

	index map[string]int // by lower-cased name
}

// Repository is one entry of the registry with every default filled in.
type Repository struct {
	Name                   string            // lower-cased
	EmissionShare          float64           // of the whole emission
	IssueDiscoveryShare    float64           // of the repository's slice; the rest is for pull requests
	MaintainerCut          float64           // of the repository's share; capped at maxMaintainerCut
	AdditionalBranches     []string          // globs, case-sensitive
	TrustedLabelPipeline   bool              // labels count from anybody, not only maintainers
	LabelMultipliers       []LabelMultiplier // in file order
	DefaultLabelMultiplier float64           // for a pull request without a label that counts
	// FixedBaseScore replaces the base score; nil for none.
	FixedBaseScore *float64
	Eligibility    Eligibility
	Scoring        Scoring

	// FixedBaseWhole says that the file has the fixed base score as an integer. It
	// decides how the validator's sums of it are rounded.
	FixedBaseWhole bool
}

// LabelMultiplier is a glob over lower-cased label names, with the multiplier of the
// labels that it matches.
type LabelMultiplier struct {
	Pattern    string
	Multiplier float64
}

// Eligibility are a repository's gates and thresholds. Thresholds count open items;
// credibilities are shares from 0 to 1.
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

// Scoring are the parameters of a repository's multipliers and of its base score.
type Scoring struct {
	PRLookbackDays            int
	OpenPRCollateralPercent   float64
	ReviewPenaltyRate         float64
	StandardIssueMultiplier   float64
	MaintainerIssueMultiplier float64
	SrcTokSaturationScale     float64
	TimeDecay                 TimeDecay
}

// TimeDecay is the curve by which a merge loses its worth: none in the grace
// period, then a sigmoid that is half at the midpoint, never below the minimum.
type TimeDecay struct {
	GracePeriodHours    int
	SigmoidMidpointDays float64
	SigmoidSteepness    float64
	MinMultiplier       float64
}

// maxMaintainerCut is the maximum share that a repository gives its maintainers.
const maxMaintainerCut = 0.5

// DefaultRepository is a repository with every setting at its default:
// docs/rules/scoring.md#registry. Its emission share is 0, since that has no default.
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

// Repository finds a repository by its name in any case. It tries the name as given
// first, because most callers have it lower-cased.
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

// Windows has for each repository the instant from which its pull requests and
// issues count: as_of − pr_lookback_days. It is the body of the mirror's requests.
func (r Registry) Windows(asOf time.Time) map[string]time.Time {
	windows := make(map[string]time.Time, len(r.Repositories))
	for i := range r.Repositories {
		repo := &r.Repositories[i]
		// A day is 24 hours: the instants are UTC, which has no daylight saving.
		windows[repo.Name] = asOf.UTC().Add(-time.Duration(repo.Scoring.PRLookbackDays) * 24 * time.Hour)
	}
	return windows
}
