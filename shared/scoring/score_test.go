package scoring_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// figures are token figures with a base score of 15.92.
func figures() *tokens.Figures {
	return &tokens.Figures{
		TotalScore: 60, TokenScore: 58, SourceTokenScore: 57.5, StructuralCount: 3, StructuralScore: 2.5,
		LeafCount: 4, LeafScore: 1.5, TotalNodesScored: 7,
	}
}

func TestScoreWithAndWithoutFiles(t *testing.T) {
	t.Parallel()
	free, fixed := repository(t, ``), repository(t, `"fixed_base_score": 2.5`)
	zero := repository(t, `"fixed_base_score": 0`)
	tests := []struct {
		name      string
		repo      *input.Repository
		tokens    *tokens.Figures
		stored    bool
		code      scoring.Code
		base      float64
		token     float64
		wasScored bool
	}{
		{"files", free, figures(), true, scoring.BaseFromTokens, 15.92, 58, true},
		{"nothing stored", free, nil, false, scoring.BaseNoStoredData, 0, 0, false},
		{"no files", free, nil, true, scoring.BaseNoFiles, 0, 0, false},
		{"files, fixed", fixed, figures(), true, scoring.BaseFixed, 2.5, 58, true},
		{"nothing stored, fixed", fixed, nil, false, scoring.BaseFixed, 2.5, 0, true},
		{"no files, fixed", fixed, nil, true, scoring.BaseFixed, 2.5, 0, true},
		{"fixed at zero", zero, figures(), true, scoring.BaseFixed, 0, 58, true},
		{"figures of nothing", free, &tokens.Figures{}, true, scoring.BaseFromTokens, 0, 0, true},
	}
	for _, tt := range tests {
		got := scoring.Score(merged(func(p *scoring.PullRequest) {
			p.ScoringDataStored, p.MaintainerChangesRequestedCount = tt.stored, 2
		}), tt.repo, tt.tokens, asOf)
		if got.BaseScore != tt.base || got.TokenScore != tt.token || got.Reasons.Base.Code != tt.code || got.Scored != tt.wasScored {
			t.Errorf("%s: got base %v, tokens %v, %s, scored %v; want %v, %v, %s, %v", tt.name, got.BaseScore, got.TokenScore,
				got.Reasons.Base.Code, got.Scored, tt.base, tt.token, tt.code, tt.wasScored)
		}
		// What was left unscored has every multiplier at 1.
		review := map[bool]float64{false: 1, true: 0.7}[tt.wasScored]
		if got.ReviewQualityMultiplier != review || got.IssueMultiplier != 1 || got.LabelMultiplier != 1 {
			t.Errorf("%s: got multipliers %v, %v, %v", tt.name, got.ReviewQualityMultiplier, got.IssueMultiplier, got.LabelMultiplier)
		}
	}
}

func TestOnlyMergesDecay(t *testing.T) {
	t.Parallel()
	repo := repository(t, ``)
	for state, want := range map[scoring.State][2]float64{scoring.Merged: {0.98, 0.85}, scoring.Open: {1, 1}, scoring.Closed: {1, 1}} {
		got := scoring.Score(merged(func(p *scoring.PullRequest) {
			p.State, p.MaintainerChangesRequestedCount = state, 1
			p.MergedAt = asOf.Add(-20 * time.Hour)
		}), repo, figures(), asOf)
		if diff := cmp.Diff(want, [2]float64{got.TimeDecayMultiplier, got.ReviewQualityMultiplier}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", state, diff)
		}
	}
}

func TestTimeDecay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		hours    float64
		settings string
		want     float64
	}{
		{0, ``, 1}, {-5, ``, 1}, {11.999999, ``, 1},
		{12, ``, 0.98},                  // the grace period has ended: 1/(1+e^(0.4×(0.5−10)))
		{240, ``, 0.5}, {480, ``, 0.05}, // 0.018 is raised to the least
		{480, `"min_multiplier": 0`, 0.02}, {24 * 3650, `"min_multiplier": 0`, 0},
		{0, `"grace_period_hours": 0`, 0.98}, {168, `"grace_period_hours": 168`, 0.77}, {167.9, `"grace_period_hours": 168`, 1},
		{24 * 100000, `"sigmoid_steepness": 5, "min_multiplier": 0.3`, 0.3}, // e^x overflows
	} {
		repo := repository(t, `"scoring": {"time_decay": {`+tt.settings+`}}`)
		at := asOf.Add(-time.Duration(tt.hours * float64(time.Hour)))
		got, reason := scoring.TimeDecayOf(at, asOf, &repo.Scoring.TimeDecay)
		if got != tt.want || reason.Hours-tt.hours > 1e-6 {
			t.Errorf("%v h after the merge, {%s}: got %v (%+v), want %v", tt.hours, tt.settings, got, reason, tt.want)
		}
	}
}

func TestReviewQuality(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		count int
		rate  string
		want  float64
	}{{0, "0.15", 1}, {1, "0.15", 0.85}, {6, "0.15", 0.1}, {7, "0.15", 0}, {1, "1", 0}, {3, "0.125", 0.62}} {
		repo := repository(t, `"scoring": {"review_penalty_rate": `+tt.rate+`}`)
		got := scoring.Score(merged(func(p *scoring.PullRequest) { p.MaintainerChangesRequestedCount = tt.count }), repo, figures(), asOf)
		if got.ReviewQualityMultiplier != tt.want {
			t.Errorf("%d requests at %s: got %v, want %v", tt.count, tt.rate, got.ReviewQualityMultiplier, tt.want)
		}
	}
}

func TestLabelChoice(t *testing.T) {
	t.Parallel()
	const multipliers = `"label_multipliers": {"Kind/*": 0.8, "kind/BUG": 2, "type:*": 2, "low": 0.1, "*x": 1.5}, "default_label_multiplier": 0.25`
	label := func(name, association string) scoring.Label {
		return scoring.Label{Name: name, ActorAssociation: association}
	}
	tests := []struct {
		name       string
		trusted    bool
		labels     []scoring.Label
		want       string // "" for none
		multiplier float64
		codes      []scoring.Code
	}{
		{"none", false, nil, "", 0.25, nil},
		{"one", false, []scoring.Label{label("Kind/Docs", "OWNER")}, "kind/docs", 0.8, []scoring.Code{scoring.LabelChosen}},
		{
			"the highest of its patterns", false,
			[]scoring.Label{label("KIND/bug", "MEMBER")}, "kind/bug", 2, []scoring.Code{scoring.LabelChosen},
		},
		{
			"the highest, whatever the order", false,
			[]scoring.Label{label("low", "OWNER"), label("kind/bug", "OWNER"), label("kind/docs", "OWNER")}, "kind/bug", 2,
			[]scoring.Code{scoring.LabelLower, scoring.LabelChosen, scoring.LabelLower},
		},
		{
			"equal ones by name", false,
			[]scoring.Label{label("type:a", "OWNER"), label("type:b", "OWNER"), label("kind/bug", "OWNER")}, "type:b", 2,
			[]scoring.Code{scoring.LabelLower, scoring.LabelChosen, scoring.LabelLower},
		},
		{
			"not of strangers", false,
			[]scoring.Label{label("kind/bug", "CONTRIBUTOR"), label("kind/bug", ""), label("low", "COLLABORATOR")}, "low", 0.1,
			[]scoring.Code{scoring.LabelUntrusted, scoring.LabelUntrusted, scoring.LabelChosen},
		},
		{"of strangers in a pipeline", true, []scoring.Label{label("kind/bug", "")}, "kind/bug", 2, []scoring.Code{scoring.LabelChosen}},
		{
			"without a pattern or a name", true,
			[]scoring.Label{label("other", "OWNER"), label("", "OWNER")}, "", 0.25,
			[]scoring.Code{scoring.LabelNoPattern, scoring.LabelUnnamed},
		},
	}
	for _, tt := range tests {
		settings := multipliers
		if tt.trusted {
			settings += `, "trusted_label_pipeline": true`
		}
		got := scoring.Score(merged(func(p *scoring.PullRequest) { p.Labels = tt.labels }), repository(t, settings), figures(), asOf)
		chosen := ""
		if got.Label != nil {
			chosen = *got.Label
		}
		var codes []scoring.Code
		for _, reason := range got.Reasons.Labels {
			codes = append(codes, reason.Code)
		}
		if chosen != tt.want || got.LabelMultiplier != tt.multiplier || !cmp.Equal(tt.codes, codes) {
			t.Errorf("%s: got %q × %v, %v; want %q × %v, %v", tt.name, chosen, got.LabelMultiplier, codes, tt.want, tt.multiplier, tt.codes)
		}
	}
}

func TestLinkedIssues(t *testing.T) {
	t.Parallel()
	seven := 7
	eight := 8
	nobody := 0
	valid := func(change func(*scoring.LinkedIssue)) scoring.LinkedIssue {
		issue := scoring.LinkedIssue{
			Number: 3, State: scoring.Closed, StateReason: "COMPLETED", AuthorID: new("99"), AuthorAssociation: "NONE",
			CreatedAt: asOf.Add(-72 * time.Hour), ClosedAt: asOf.Add(-24 * time.Hour),
		}
		if change != nil {
			change(&issue)
		}
		return issue
	}
	type issue = *scoring.LinkedIssue
	tests := []struct {
		name       string
		change     func(issue)
		pull       func(*scoring.PullRequest)
		want, open scoring.Code // for the merged pull request, and for the same one open
	}{
		{"valid", nil, nil, scoring.LinkedValid, scoring.LinkedValid},
		{"transferred", func(i issue) { i.Transferred = true }, nil, scoring.LinkedTransferred, scoring.LinkedTransferred},
		{"no author", func(i issue) { i.AuthorID = nil }, nil, scoring.LinkedNoAuthor, scoring.LinkedNoAuthor},
		{"own", func(i issue) { i.AuthorID = new("42") }, nil, scoring.LinkedOwnIssue, scoring.LinkedOwnIssue},
		{"author without an id", func(i issue) { i.AuthorID = new("") }, nil, scoring.LinkedValid, scoring.LinkedValid},
		{"created with it", func(i issue) { i.CreatedAt = asOf.Add(-48 * time.Hour) }, nil, scoring.LinkedValid, scoring.LinkedValid},
		{
			"created after it", func(i issue) { i.CreatedAt = asOf.Add(-48*time.Hour + time.Microsecond) }, nil,
			scoring.LinkedCreatedAfter, scoring.LinkedCreatedAfter,
		},
		{"creation absent", func(i issue) { i.CreatedAt = time.Time{} }, nil, scoring.LinkedValid, scoring.LinkedValid},
		{"not planned", func(i issue) { i.StateReason = "NOT_PLANNED" }, nil, scoring.LinkedNotCompleted, scoring.LinkedNotCompleted},
		{"no reason", func(i issue) { i.StateReason = "" }, nil, scoring.LinkedNotCompleted, scoring.LinkedNotCompleted},
		{"this solver", func(i issue) { i.SolvedByPR = &seven }, nil, scoring.LinkedValid, scoring.LinkedValid},
		{"another solver", func(i issue) { i.SolvedByPR = &eight }, nil, scoring.LinkedOtherSolver, scoring.LinkedOtherSolver},
		{"solver 0", func(i issue) { i.SolvedByPR = &nobody }, nil, scoring.LinkedOtherSolver, scoring.LinkedOtherSolver},
		{"still open", func(i issue) { i.State, i.StateReason = scoring.Open, "" }, nil, scoring.LinkedNotClosed, scoring.LinkedValid},
		{"edited", nil, func(p *scoring.PullRequest) { p.EditedAfterMerge = true }, scoring.LinkedEditedAfter, scoring.LinkedValid},
		{"closed before", func(i issue) { i.ClosedAt = asOf.Add(-24*time.Hour - time.Microsecond) }, nil, scoring.LinkedClosedBefore, scoring.LinkedValid},
		{"closed a day after", func(i issue) { i.ClosedAt = asOf }, nil, scoring.LinkedValid, scoring.LinkedValid},
		{"closed later", func(i issue) { i.ClosedAt = asOf.Add(time.Microsecond) }, nil, scoring.LinkedClosedLongAfter, scoring.LinkedValid},
		{"closing absent", func(i issue) { i.ClosedAt = time.Time{} }, nil, scoring.LinkedValid, scoring.LinkedValid},
	}
	repo := repository(t, ``)
	for _, tt := range tests {
		for _, state := range []scoring.State{scoring.Merged, scoring.Open} {
			want := map[scoring.State]scoring.Code{scoring.Merged: tt.want, scoring.Open: tt.open}[state]
			got := scoring.Score(merged(func(p *scoring.PullRequest) {
				p.State, p.LinkedIssues = state, []scoring.LinkedIssue{valid(tt.change)}
				if state == scoring.Open {
					p.MergedAt = time.Time{}
				}
				if tt.pull != nil {
					tt.pull(p)
				}
			}), repo, figures(), asOf)
			multiplier := map[bool]float64{true: 1.33, false: 1}[want == scoring.LinkedValid]
			if code := got.Reasons.LinkedIssues[0].Reason.Code; code != want || got.IssueMultiplier != multiplier {
				t.Errorf("%s, %s: got %s × %v, want %s × %v", tt.name, state, code, got.IssueMultiplier, want, multiplier)
			}
		}
	}
	// A maintainer's issue counts wherever it stands, if it is valid.
	maintainers := func(i issue) { i.AuthorAssociation = "OWNER" }
	for _, tt := range []struct {
		issues []scoring.LinkedIssue
		want   float64
	}{
		{[]scoring.LinkedIssue{valid(nil), valid(maintainers), valid(nil)}, 1.66},
		{[]scoring.LinkedIssue{valid(nil), valid(func(i issue) { maintainers(i); i.Transferred = true })}, 1.33},
	} {
		got := scoring.Score(merged(func(p *scoring.PullRequest) { p.LinkedIssues = tt.issues }), repo, figures(), asOf)
		if got.IssueMultiplier != tt.want {
			t.Errorf("%+v: got %v, want %v", tt.issues, got.IssueMultiplier, tt.want)
		}
	}
}
