package scoring_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/python"
	"mirrorfleet/shared/scoring/tokens"
)

// solved is an issue that a pull request of another account solved.
func solved(repo string, number, solver int) scoring.Issue {
	return scoring.Issue{
		Repository: repo, Number: number, State: scoring.Closed, StateReason: "COMPLETED", AuthorID: "1005", AuthorAssociation: "NONE",
		CreatedAt: asOf.Add(-200 * time.Hour), SolvedByPR: &solver,
		Solving: &scoring.SolvingPullRequest{
			Number: solver, AuthorID: "77", State: scoring.Merged, MergedAt: asOf.Add(-time.Hour), BaseRef: new("main"), DefaultBranch: "main",
		},
	}
}

func changed(change func(*scoring.Issue)) scoring.Issue {
	issue := solved("a/b", 1, 90)
	change(&issue)
	return issue
}

// easy makes one valid solved issue enough.
const easy = `{"a/b": {"emission_share": 1, "eligibility": {"min_valid_solved_issues": 1}}}`

func TestClassification(t *testing.T) {
	t.Parallel()
	type issue = *scoring.Issue
	zero := 0
	for _, tt := range []struct {
		name   string
		change func(issue)
		class  scoring.Classification
		code   scoring.Code
	}{
		{"solved", func(issue) {}, scoring.IssueSolved, scoring.IssueScores},
		{"unknown repository", func(i issue) { i.Repository = "x/y" }, scoring.IssueIgnored, scoring.IssueUnknownRepository},
		{"by a maintainer", func(i issue) { i.AuthorAssociation = "OWNER" }, scoring.IssueIgnored, scoring.IssueOfMaintainer},
		{"transferred", func(i issue) { i.Transferred, i.StateReason = true, "x" }, scoring.IssueIgnored, scoring.IssueTransferred},
		{"open", func(i issue) { i.State = scoring.Open }, scoring.IssueIgnored, scoring.IssueNotClosed},
		{"not planned", func(i issue) { i.StateReason = "NOT_PLANNED" }, scoring.IssueClosed, scoring.IssueNotCompleted},
		{"no solver named", func(i issue) { i.SolvedByPR = nil }, scoring.IssueClosed, scoring.IssueNoSolver},
		{"solver 0", func(i issue) { i.SolvedByPR = &zero }, scoring.IssueClosed, scoring.IssueNoSolver},
		{"no solver told", func(i issue) { i.Solving = nil }, scoring.IssueClosed, scoring.IssueNoSolver},
		{"solver open", func(i issue) { i.Solving.State = scoring.Open }, scoring.IssueClosed, scoring.IssueSolverNotMerged},
		{"wrong branch", func(i issue) { i.Solving.BaseRef = new("x") }, scoring.IssueClosed, scoring.IssueSolverBranch},
		{"branch unknown", func(i issue) { i.Solving.BaseRef, i.Solving.DefaultBranch = nil, "x" }, scoring.IssueSolved, scoring.IssueScores},
		{"branch without a name", func(i issue) { i.Solving.BaseRef = new("") }, scoring.IssueClosed, scoring.IssueSolverBranch},
		{"solver edited", func(i issue) { i.Solving.EditedAfterMerge = true }, scoring.IssueClosed, scoring.IssueSolverEdited},
		{"edited at the merge", func(i issue) { i.LastEditedAt = i.Solving.MergedAt }, scoring.IssueSolved, scoring.IssueScores},
		{"edited after", func(i issue) { i.LastEditedAt = i.Solving.MergedAt.Add(time.Microsecond) }, scoring.IssueClosed, scoring.IssueEditedAfter},
		{"no author", func(i issue) { i.AuthorID = "" }, scoring.IssueIgnored, scoring.IssueNoAuthor},
		{"no author, and closed", func(i issue) { i.AuthorID, i.StateReason = "", "" }, scoring.IssueClosed, scoring.IssueNotCompleted},
		{"own solver", func(i issue) { i.Solving.AuthorID = "1005" }, scoring.IssueSolved, scoring.IssueOwnSolver},
		{"no merged_at", func(i issue) { i.Solving.MergedAt = time.Time{} }, scoring.IssueSolved, scoring.IssueNoMergedAt},
		{"not scored", func(i issue) { i.Solving.Number = 91 }, scoring.IssueSolved, scoring.IssueUnavailable},
		{"too little", func(i issue) { i.Solving.Number = 92 }, scoring.IssueSolved, scoring.IssueBelowThreshold},
		{"just enough", func(i issue) { i.Solving.Number = 93 }, scoring.IssueSolved, scoring.IssueScores},
	} {
		in := roundOf(t, easy, scoring.Evaluation{UID: 5, Issues: &scoring.IssueAnswers{
			Listed: []scoring.Issue{changed(tt.change), solved("a/b", 3, 94)},
			Solving: []scoring.SolvingScore{
				{Repository: "a/b", Number: 90, BaseScore: 2, TokenScore: 50}, {Repository: "a/b", Number: 91, Unavailable: true},
				{Repository: "a/b", Number: 92, TokenScore: 4.999}, {Repository: "a/b", Number: 93, TokenScore: 5},
				{Repository: "a/b", Number: 94, TokenScore: 50},
			},
		}})
		in.Registry.Repositories[0].Eligibility.MinIssueCredibility = 0
		out := outcomeOf(t, scoring.Conclude(in), 5)
		i := 0
		for out.Issues[i].Number != 1 {
			i++
		}
		if got := out.Issues[i]; got.Classification != tt.class || got.Reason.Code != tt.code {
			t.Errorf("%s: got %s, %s; want %s, %s", tt.name, got.Classification, got.Reason.Code, tt.class, tt.code)
		}
		valid := 1 // the other issue
		switch tt.code {
		case scoring.IssueScores, scoring.IssueOwnSolver, scoring.IssueNoMergedAt:
			valid++
		default:
		}
		if out.TotalValidSolvedIssues != valid {
			t.Errorf("%s: got %d valid, want %d", tt.name, out.TotalValidSolvedIssues, valid)
		}
		if out.IssuesIncomplete != (tt.code == scoring.IssueUnavailable) {
			t.Errorf("%s: got incomplete %v", tt.name, out.IssuesIncomplete)
		}
	}
}

// Of all issues that one pull request solved, over all miners, one scores: the
// first by creation, number and uid. An issue of the solver's own never owns.
func TestCanonicalOwner(t *testing.T) {
	t.Parallel()
	evaluation := func(uid int, issues ...scoring.Issue) scoring.Evaluation {
		return scoring.Evaluation{UID: uid, Issues: &scoring.IssueAnswers{
			Listed: issues, Solving: []scoring.SolvingScore{{Repository: "a/b", Number: 90, BaseScore: 2, TokenScore: 50}},
		}}
	}
	at := func(number int, hours int, author string) scoring.Issue {
		return changed(func(i *scoring.Issue) {
			i.Number, i.AuthorID = number, author
			if i.CreatedAt = asOf.Add(-time.Duration(hours) * time.Hour); hours == 0 {
				i.CreatedAt = time.Time{} // far future
			}
		})
	}
	for _, tt := range []struct {
		name  string
		six   []scoring.Issue
		seven []scoring.Issue
		want  map[int][]int // uid → scored issues
	}{
		{"the older", []scoring.Issue{at(1, 50, "1006")}, []scoring.Issue{at(2, 60, "1007")}, map[int][]int{7: {2}}},
		{"of one age by number", []scoring.Issue{at(2, 50, "1006")}, []scoring.Issue{at(1, 50, "1007")}, map[int][]int{7: {1}}},
		{"the same issue by uid", []scoring.Issue{at(1, 50, "1006")}, []scoring.Issue{at(1, 50, "1007")}, map[int][]int{6: {1}}},
		{"of unknown age last", []scoring.Issue{at(1, 0, "1006")}, []scoring.Issue{at(2, 1, "1007")}, map[int][]int{7: {2}}},
		{"the solver's own never", []scoring.Issue{at(1, 90, "77")}, []scoring.Issue{at(2, 1, "1007")}, map[int][]int{7: {2}}},
		{"within one miner", []scoring.Issue{at(3, 10, "1006"), at(4, 20, "1006")}, nil, map[int][]int{6: {4}}},
	} {
		out := scoring.Conclude(roundOf(t, easy, evaluation(6, tt.six...), evaluation(7, tt.seven...)))
		got := map[int][]int{}
		for _, m := range out.Miners {
			for _, issue := range m.ScoredIssues {
				got[m.UID] = append(got[m.UID], issue.Number)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A merged list's figures go before what a worker fetched, even when they say
// 0 because nothing was stored; and what one worker got serves all.
func TestSolvingScores(t *testing.T) {
	t.Parallel()
	with := func(uid int, score scoring.SolvingScore, issues ...scoring.Issue) scoring.Evaluation {
		return scoring.Evaluation{UID: uid, Issues: &scoring.IssueAnswers{Listed: issues, Solving: []scoring.SolvingScore{score}}}
	}
	fetched := scoring.SolvingScore{Repository: "a/b", Number: 90, BaseScore: 2, TokenScore: 50}
	missing := scoring.SolvingScore{Repository: "a/b", Number: 90, Unavailable: true}
	zero := pull("a/b", 90, scoring.Merged, 0)
	for _, tt := range []struct {
		name        string
		evaluations []scoring.Evaluation
		valid       int
		incomplete  bool
	}{
		{"fetched", []scoring.Evaluation{with(5, fetched, solved("a/b", 1, 90))}, 1, false},
		{"not to be had", []scoring.Evaluation{with(5, missing, solved("a/b", 1, 90))}, 0, true},
		{"had by another", []scoring.Evaluation{with(5, missing, solved("a/b", 1, 90)), with(6, fetched)}, 1, false},
		{"merged", []scoring.Evaluation{with(5, fetched, solved("a/b", 1, 90)), {UID: 6, Merged: []scoring.ScoredPullRequest{zero}}}, 0, false},
		{"merged, not fetched", []scoring.Evaluation{with(5, missing, solved("a/b", 1, 90)), {UID: 6, Merged: pulls("a/b", scoring.Merged, 90, 1, 3)}}, 1, false},
	} {
		out := outcomeOf(t, scoring.Conclude(roundOf(t, easy, tt.evaluations...)), 5)
		if out.TotalValidSolvedIssues != tt.valid || out.TotalSolvedIssues != 1 || out.IssuesIncomplete != tt.incomplete {
			t.Errorf("%s: got %d of %d valid, incomplete %v; want %d of 1, %v", tt.name,
				out.TotalValidSolvedIssues, out.TotalSolvedIssues, out.IssuesIncomplete, tt.valid, tt.incomplete)
		}
	}
}

func TestIssueEarnings(t *testing.T) {
	t.Parallel()
	const reg = `{"a/b": {"emission_share": 1, "label_multipliers": {"bug": 1.5},
		"eligibility": {"min_valid_solved_issues": 1, "min_issue_credibility": 0.5, "open_issue_spam_token_score_per_slot": 25}}}`
	issue := changed(func(i *scoring.Issue) {
		i.Solving.MaintainerChangesRequestedCount = 1
		i.Solving.Labels = []scoring.Label{{Name: "Bug", ActorAssociation: "OWNER"}}
		i.Solving.MergedAt = asOf.Add(-240 * time.Hour)
	})
	closed := changed(func(i *scoring.Issue) { i.StateReason = "" })
	for _, tt := range []struct {
		open   int
		issues []scoring.Issue
		want   float64
		code   scoring.Code
	}{
		{0, []scoring.Issue{issue}, python.Round2(10 * 1.5 * 0.5 * 0.85), scoring.IssueScores},
		{4, []scoring.Issue{issue}, python.Round2(10 * 1.5 * 0.5 * 0.85), scoring.IssueScores}, // 2 + floor(50/25)
		{5, []scoring.Issue{issue}, 0, scoring.IssueScores},
		{0, []scoring.Issue{issue, closed}, python.Round2(10 * 1.5 * 0.5 * 0.85 * 0.5), scoring.IssueScores},
		{0, []scoring.Issue{issue, closed, closed}, 0, scoring.IssueNotEligible},
	} {
		out := outcomeOf(t, scoring.Conclude(roundOf(t, reg, scoring.Evaluation{UID: 5, Issues: &scoring.IssueAnswers{
			Listed: tt.issues, Open: map[string]int{"a/b": tt.open},
			Solving: []scoring.SolvingScore{{Repository: "a/b", Number: 90, BaseScore: 10, TokenScore: 50}},
		}})), 5)
		code := scoring.Code("")
		for _, i := range out.Issues {
			if i.Classification != scoring.IssueSolved {
				continue
			}
			code = i.Reason.Code
			if got := i.Reason.Values["token_score"]; got != "50" {
				t.Errorf("%d open, %d issues: the reason has token score %q, want 50", tt.open, len(tt.issues), got)
			}
		}
		if out.IssueDiscoveryScore != tt.want || code != tt.code || out.TotalOpenIssues != tt.open {
			t.Errorf("%d open, %d issues: got %v (%s), want %v (%s)", tt.open, len(tt.issues), out.IssueDiscoveryScore, code, tt.want, tt.code)
		}
	}
}

// A label may have a multiplier below 0. What an issue loses by it counts in the
// miner's own score, but takes nothing from what its other issues are paid.
func TestNegativeIssueEarnings(t *testing.T) {
	t.Parallel()
	const reg = `{"a/b": {"emission_share": 1, "label_multipliers": {"bad": -0.5}, "eligibility": {"min_valid_solved_issues": 1}}}`
	bad := solved("a/b", 2, 91)
	bad.Solving.Labels = []scoring.Label{{Name: "bad", ActorAssociation: "OWNER"}}
	out := scoring.Conclude(roundOf(t, reg, scoring.Evaluation{UID: 5, Issues: &scoring.IssueAnswers{
		Listed: []scoring.Issue{solved("a/b", 1, 90), bad},
		Solving: []scoring.SolvingScore{
			{Repository: "a/b", Number: 90, BaseScore: 10, TokenScore: 50}, {Repository: "a/b", Number: 91, BaseScore: 10, TokenScore: 50},
		},
	}}))
	if got := outcomeOf(t, out, 5).IssueDiscoveryScore; got != 5 {
		t.Errorf("the miner's score is %v, want 10 - 5", got)
	}
	if got := out.Emission[0].IssueDiscoveryScores[5]; got != 10 {
		t.Errorf("it is paid for %v, want 10", got)
	}
}

func TestOpenCounts(t *testing.T) {
	t.Parallel()
	open := changed(func(i *scoring.Issue) { i.State = scoring.Open })
	stored := func(figures scoring.IssueFigures, repos ...scoring.StoredRepository) *scoring.StoredEvaluation {
		return &scoring.StoredEvaluation{UID: 5, Hotkey: "hk5", GitHubID: "1005", Issues: figures, Repositories: repos}
	}
	for _, tt := range []struct {
		name    string
		answers scoring.IssueAnswers
		stored  *scoring.StoredEvaluation
		want    int
	}{
		{"counted", scoring.IssueAnswers{Open: map[string]int{"a/b": 7}}, nil, 7},
		{"counted, no matter what is stored", scoring.IssueAnswers{Open: map[string]int{"a/b": 1}}, stored(scoring.IssueFigures{TotalOpenIssues: 9}), 1},
		{"failed: those of the window", scoring.IssueAnswers{OpenFailed: true, Listed: []scoring.Issue{open, open}}, nil, 2},
		{
			"failed: raised to the stored", scoring.IssueAnswers{OpenFailed: true, Listed: []scoring.Issue{open}},
			stored(scoring.IssueFigures{}, scoring.StoredRepository{Repository: "a/b", IssueFigures: scoring.IssueFigures{TotalOpenIssues: 3}}), 3,
		},
		{
			"failed: never lowered", scoring.IssueAnswers{OpenFailed: true, Listed: []scoring.Issue{open}},
			stored(scoring.IssueFigures{}, scoring.StoredRepository{Repository: "a/b"}), 1,
		},
		{
			"failed: a stored repository goes before the stored total", scoring.IssueAnswers{OpenFailed: true, Listed: []scoring.Issue{open}},
			stored(scoring.IssueFigures{TotalOpenIssues: 9}, scoring.StoredRepository{Repository: "a/b", IssueFigures: scoring.IssueFigures{TotalOpenIssues: 3}}), 3,
		},
		{"failed: the stored total of the one repository", scoring.IssueAnswers{OpenFailed: true}, stored(scoring.IssueFigures{TotalOpenIssues: 4}), 4},
	} {
		in := roundOf(t, easy, scoring.Evaluation{UID: 5, Issues: &tt.answers})
		if tt.stored != nil {
			in.Stored[5] = *tt.stored
		}
		if got := outcomeOf(t, scoring.Conclude(in), 5); got.TotalOpenIssues != tt.want {
			t.Errorf("%s: got %d open, want %d", tt.name, got.TotalOpenIssues, tt.want)
		}
	}
	counts := scoring.CountOpen([]scoring.Issue{open, solved("a/b", 2, 1), changed(func(i *scoring.Issue) { i.State, i.Repository = scoring.Open, "x/y" })}, registry(t, easy))
	if diff := cmp.Diff(map[string]int{"a/b": 1}, counts); diff != "" {
		t.Errorf("CountOpen, -want +got:\n%s", diff)
	}
}

// An incomplete miner's figures are the round's, but not what is stored.
func TestIncompleteFiguresAreNotStored(t *testing.T) {
	t.Parallel()
	before := scoring.StoredEvaluation{UID: 5, Hotkey: "hk5", GitHubID: "1005", Issues: scoring.IssueFigures{TotalSolvedIssues: 8}}
	for _, unavailable := range []bool{false, true} {
		in := roundOf(t, easy, scoring.Evaluation{UID: 5, Issues: &scoring.IssueAnswers{
			Listed:  []scoring.Issue{solved("a/b", 1, 90)},
			Solving: []scoring.SolvingScore{{Repository: "a/b", Number: 90, Unavailable: unavailable, TokenScore: 50}},
		}})
		in.Stored[5] = before
		out := scoring.Conclude(in)
		want := map[bool]int{false: 1, true: 8}[unavailable]
		if got := out.Stored[0].Evaluation.Issues.TotalSolvedIssues; got != want || outcomeOf(t, out, 5).TotalSolvedIssues != 1 {
			t.Errorf("unavailable %v: stored %d solved, want %d", unavailable, got, want)
		}
	}
}

func TestSolvingPulls(t *testing.T) {
	t.Parallel()
	reg := registry(t, easy)
	issues := []scoring.Issue{
		solved("a/b", 1, 92), solved("a/b", 2, 90), solved("a/b", 3, 92), solved("a/b", 4, 91), solved("x/y", 5, 93),
		changed(func(i *scoring.Issue) { i.StateReason, i.Solving.Number = "", 94 }),
		changed(func(i *scoring.Issue) { i.AuthorAssociation, i.Solving.Number = "OWNER", 95 }),
		changed(func(i *scoring.Issue) { i.Solving.Number = -1 }), // none that could be asked for
	}
	issues[0].Solving.HeadSHA = "abc"
	got := scoring.SolvingPulls(issues, reg, pulls("a/b", scoring.Merged, 91, 1, 1))
	merged := asOf.Add(-time.Hour)
	want := []scoring.SolvingPull{{Repository: "a/b", Number: 92, MergedAt: merged, HeadSHA: "abc"}, {Repository: "a/b", Number: 90, MergedAt: merged}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	repo, fixed := &reg.Repositories[0], repository(t, `"fixed_base_score": 2.5`)
	for _, tt := range []struct {
		repo   *input.Repository
		tokens *tokens.Figures
		want   scoring.SolvingScore
	}{
		{repo, nil, scoring.SolvingScore{Repository: "a/b", Number: 92, Unavailable: true}},
		{fixed, nil, scoring.SolvingScore{Repository: "a/b", Number: 92, Unavailable: true}},
		{repo, &tokens.Figures{}, scoring.SolvingScore{Repository: "a/b", Number: 92, Tokens: &tokens.Figures{}}},
		{repo, figures(), scoring.SolvingScore{Repository: "a/b", Number: 92, BaseScore: 15.92, TokenScore: 58, Tokens: figures()}},
		{fixed, figures(), scoring.SolvingScore{Repository: "a/b", Number: 92, BaseScore: 2.5, TokenScore: 58, Tokens: figures()}},
	} {
		if diff := cmp.Diff(tt.want, scoring.ScoreSolving(want[0], tt.repo, tt.tokens)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// Who has no account to be known by discovers nothing.
func TestNobodyDiscoversNothing(t *testing.T) {
	t.Parallel()
	in := roundOf(t, easy, scoring.Evaluation{UID: 5, Issues: &scoring.IssueAnswers{
		Listed: []scoring.Issue{solved("a/b", 1, 90)}, Solving: []scoring.SolvingScore{{Repository: "a/b", Number: 90, TokenScore: 50}},
	}})
	in.Miners[0].GitHubID = input.NoGitHubID
	if got := outcomeOf(t, scoring.Conclude(in), 5); got.TotalSolvedIssues != 0 || len(got.Issues) != 0 {
		t.Errorf("got %d solved of %d issues, want none", got.TotalSolvedIssues, len(got.Issues))
	}
}

// Over three rounds: figures are stored by repository; a repository that is not
// renewed keeps its former ones, though the totals no longer count it; and
// when the look-up fails all of it comes back.
func TestIssueFiguresFromRoundToRound(t *testing.T) {
	t.Parallel()
	const reg = `{"a/b": {"emission_share": 0.5}, "a/c": {"emission_share": 0.5}}`
	stored := map[int]scoring.StoredEvaluation{}
	play := func(issues *scoring.IssueAnswers) scoring.MinerOutcome {
		in := roundOf(t, reg, scoring.Evaluation{UID: 5, Issues: issues})
		in.Stored = stored
		out := scoring.Conclude(in)
		stored = map[int]scoring.StoredEvaluation{5: *out.Stored[0].Evaluation}
		return outcomeOf(t, out, 5)
	}
	listed := func(repos ...string) *scoring.IssueAnswers {
		answers := &scoring.IssueAnswers{}
		for i, repo := range repos {
			answers.Listed = append(answers.Listed, solved(repo, i, 90))
			answers.Solving = append(answers.Solving, scoring.SolvingScore{Repository: repo, Number: 90, TokenScore: 50})
		}
		return answers
	}
	byRepository := func(m scoring.MinerOutcome) map[string]int {
		counts := map[string]int{"": m.TotalSolvedIssues}
		for _, r := range m.Repositories {
			counts[r.Repository] = r.TotalSolvedIssues
		}
		return counts
	}
	for i, round := range []struct {
		issues *scoring.IssueAnswers
		want   map[string]int
	}{
		{listed("a/b", "a/c", "a/c"), map[string]int{"": 3, "a/b": 1, "a/c": 2}},
		{listed("a/b", "a/b"), map[string]int{"": 2, "a/b": 2}},
		{nil, map[string]int{"": 2, "a/b": 2, "a/c": 2}},
		{&scoring.IssueAnswers{}, map[string]int{"": 0}},
		{nil, map[string]int{"": 0, "a/b": 2, "a/c": 2}},
	} {
		if diff := cmp.Diff(round.want, byRepository(play(round.issues))); diff != "" {
			t.Errorf("round %d (-want +got):\n%s", i, diff)
		}
	}
}
