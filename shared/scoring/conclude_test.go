package scoring_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// pull is a scored pull request of a repository.
func pull(repo string, number int, state scoring.State, base float64) scoring.ScoredPullRequest {
	return scoring.ScoredPullRequest{
		Repository: repo, Number: number, State: state, Scored: true, BaseScore: base, TokenScore: 10 * base,
		IssueMultiplier: 1, TimeDecayMultiplier: 1, ReviewQualityMultiplier: 1, LabelMultiplier: 1,
	}
}

func pulls(repo string, state scoring.State, from, n int, base float64) []scoring.ScoredPullRequest {
	list := []scoring.ScoredPullRequest{}
	for i := range n {
		list = append(list, pull(repo, from+i, state, base))
	}
	return list
}

// roundOf is a round over a registry with these miners' evaluations; their
// GitHub ids are 1000 + uid.
func roundOf(tb testing.TB, reg string, evaluations ...scoring.Evaluation) scoring.RoundInput {
	tb.Helper()
	in := scoring.RoundInput{
		AsOf: asOf, Registry: registry(tb, reg), Evaluations: map[int]scoring.Evaluation{},
		Stored: map[int]scoring.StoredEvaluation{}, Maintainers: map[string][]scoring.Maintainer{},
	}
	for _, e := range evaluations {
		in.Miners = append(in.Miners, minerOf(e.UID))
		in.Evaluations[e.UID] = e
	}
	return in
}

func minerOf(uid int) input.Miner {
	return input.Miner{UID: uid, Hotkey: fmt.Sprintf("hk%d", uid), GitHubID: fmt.Sprint(1000 + uid)}
}

// outcomeOf finds a miner in an outcome.
func outcomeOf(tb testing.TB, out scoring.Outcome, uid int) scoring.MinerOutcome {
	tb.Helper()
	for _, m := range out.Miners {
		if m.UID == uid {
			return m
		}
	}
	tb.Fatalf("the outcome has no miner %d", uid)
	return scoring.MinerOutcome{}
}

func rewardOf(out scoring.Outcome, uid int) float64 {
	for _, r := range out.Rewards {
		if r.UID == uid {
			return r.Reward
		}
	}
	return math.NaN()
}

func TestEligibility(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, settings       string
		merged, open, closed int
		code                 scoring.Code
		score                float64
		threshold            int
	}{
		{"the least", ``, 3, 0, 0, scoring.GateOpen, 3, 2},
		{"one too few", ``, 2, 0, 0, scoring.GateTooFew, 0, 0},
		{"the least credibility", ``, 4, 0, 1, scoring.GateOpen, 4, 2},
		{"less credibility", ``, 7, 0, 2, scoring.GateCredibility, 0, 0},
		{"nothing needed, nothing there", `"eligibility": {"min_valid_merged_prs": 0, "min_credibility": 0}`, 0, 1, 0, scoring.GateOpen, 0, 2},
		{"as many open as allowed", ``, 3, 2, 0, scoring.GateOpen, 3 - 0.4, 2},
		{"one more is spam", ``, 3, 3, 0, scoring.GateOpen, 0, 2},
		{"slots of the token score", `"eligibility": {"open_pr_threshold_token_score": 15}`, 3, 4, 0, scoring.GateOpen, 3 - 0.8, 4},
		{"at most", `"eligibility": {"open_pr_threshold_token_score": 15, "max_open_pr_threshold": 1}`, 3, 1, 0, scoring.GateOpen, 3 - 0.2, 1},
		{"the collateral takes all", `"scoring": {"open_pr_collateral_percent": 1}, "eligibility": {"max_open_pr_threshold": 9, "excessive_pr_penalty_base_threshold": 9}`, 3, 5, 0, scoring.GateOpen, 0, 9},
	}
	for _, tt := range tests {
		reg := `{"a/b": {"emission_share": 1` + map[bool]string{true: ", "}[tt.settings != ""] + tt.settings + `}}`
		out := outcomeOf(t, scoring.Conclude(roundOf(t, reg, scoring.Evaluation{
			UID: 5, Merged: pulls("a/b", scoring.Merged, 1, tt.merged, 1), Open: pulls("a/b", scoring.Open, 100, tt.open, 1),
			Closed: pulls("a/b", scoring.Closed, 200, tt.closed, 1),
		})), 5)
		gate := out.Repositories[0].PullGate
		if gate.Code != tt.code || math.Abs(out.TotalScore-tt.score) > 1e-12 || out.Eligible != (tt.code == scoring.GateOpen) {
			t.Errorf("%s: got %s with %v, want %s with %v", tt.name, gate.Code, out.TotalScore, tt.code, tt.score)
		}
		if gate.OpenThreshold != nil && *gate.OpenThreshold != tt.threshold {
			t.Errorf("%s: got threshold %d, want %d", tt.name, *gate.OpenThreshold, tt.threshold)
		}
	}
}

func TestEarningsAndCollateral(t *testing.T) {
	t.Parallel()
	earning := pull("a/b", 1, scoring.Merged, 10)
	earning.IssueMultiplier = 1.33
	earning.LabelMultiplier = 2
	earning.TimeDecayMultiplier = 0.5
	earning.ReviewQualityMultiplier = 0.85
	holding := pull("a/b", 2, scoring.Open, 10)
	holding.IssueMultiplier = 1.33
	holding.LabelMultiplier = 2
	holding.MaintainerChangesRequestedCount = 2
	capped := holding
	capped.MaintainerChangesRequestedCount = 50
	out := outcomeOf(t, scoring.Conclude(roundOf(t, `{"a/b": {"emission_share": 1, "eligibility": {"min_valid_merged_prs": 1}}}`, scoring.Evaluation{
		UID: 5, Merged: []scoring.ScoredPullRequest{earning}, Open: []scoring.ScoredPullRequest{holding, capped},
	})), 5)
	got := []float64{out.PullRequests[0].EarnedScore, out.PullRequests[1].CollateralScore, out.PullRequests[2].CollateralScore}
	want := []float64{10 * 1.33 * 2 * 0.5 * 0.85, 10 * 1.33 * 2 * 1.3 * 0.2, 10 * 1.33 * 2 * 2 * 0.2}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Errorf("pull request %d: got %v, want %v", i, got[i], want[i])
		}
	}
	if out.TotalScore != 0 || math.Abs(out.TotalCollateralScore-want[1]-want[2]) > 1e-12 {
		t.Errorf("got total %v with collateral %v, want 0 with %v", out.TotalScore, out.TotalCollateralScore, want[1]+want[2])
	}
}

func TestSharedAccounts(t *testing.T) {
	t.Parallel()
	evaluation := func(uid int) scoring.Evaluation {
		return scoring.Evaluation{UID: uid, Merged: pulls("a/b", scoring.Merged, uid*10, 3, 1)}
	}
	in := roundOf(t, `{"a/b": {"emission_share": 1}}`, evaluation(3), evaluation(4), evaluation(5), evaluation(6), evaluation(7), evaluation(8))
	for i, id := range []string{"77", "88", "77", "77", "0", "0"} {
		in.Miners[i].GitHubID = id
	}
	in.Miners[3].Token = input.TokenNone // failed before: it shares nothing
	in.Stored[3] = scoring.StoredEvaluation{UID: 3, Hotkey: "hk3", GitHubID: "77"}
	out := scoring.Conclude(in)
	want := map[int]input.Failure{3: "shared account", 4: "", 5: "shared account", 6: "no stored token", 7: "", 8: ""}
	got := map[int]input.Failure{}
	for _, m := range out.Miners {
		got[m.UID] = m.Failed
		if m.Failed != "" && (len(m.PullRequests) > 0 || len(m.Repositories) > 0 || m.TotalScore != 0) {
			t.Errorf("miner %d failed, but has figures: %+v", m.UID, m)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]int{3, 5}, out.SharedAccount); diff != "" {
		t.Errorf("shared, -want +got:\n%s", diff)
	}
	if m := outcomeOf(t, out, 3); m.GitHubID != "77" || !cmp.Equal(m.SharedWith, []int{5}) {
		t.Errorf("miner 3: got id %q shared with %v", m.GitHubID, m.SharedWith)
	}
	for _, c := range out.Stored {
		if (c.UID == 3 || c.UID == 5) && c.Evaluation != nil {
			t.Errorf("the stored evaluation of miner %d is kept, want it dropped", c.UID)
		}
	}
}

// Over random rounds: the rewards are what there is to give away, whoever
// earned; nobody's is negative; and the outcome's bytes do not depend on how
// the input was put together.
func TestRewardsSumToOne(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		in := randomRound(t, r)
		out := scoring.Conclude(in)
		if math.Abs(out.Sum-1) > 1e-9 {
			t.Errorf("seed %d: the rewards sum to %v, want 1", seed, out.Sum)
		}
		for _, reward := range out.Rewards {
			if reward.Reward < 0 || math.IsNaN(reward.Reward) {
				t.Errorf("seed %d: miner %d gets %v", seed, reward.UID, reward.Reward)
			}
		}
		want, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		r.Shuffle(len(in.Miners), func(i, j int) { in.Miners[i], in.Miners[j] = in.Miners[j], in.Miners[i] })
		got, err := json.Marshal(scoring.Conclude(in))
		if err != nil || string(got) != string(want) {
			t.Errorf("seed %d: another order of miners, another outcome", seed)
		}
	}
}

// randomRound has UIDs 0 and 111 and up to thirty others.
func randomRound(tb testing.TB, r *rand.Rand) scoring.RoundInput {
	tb.Helper()
	text, left := "", 1.0
	for i := range r.IntN(5) {
		share := left * r.Float64()
		left -= share
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf(`"r/%d": {"emission_share": %v, "issue_discovery_share": %v, "maintainer_cut": %v, "eligibility": {"min_valid_merged_prs": 1, "min_credibility": 0, "min_valid_solved_issues": 1, "min_issue_credibility": 0}}`,
			i, share, []float64{0, 0.5, 1, 0.3}[r.IntN(4)], []float64{0, 0.5, 0.2}[r.IntN(3)])
	}
	in := roundOf(tb, "{"+text+"}")
	in.Miners = []input.Miner{minerOf(0), minerOf(111)}
	for uid := range 1 + r.IntN(30) {
		m := minerOf(uid + 1)
		if r.IntN(8) == 0 {
			m.Token = input.TokenNone
		}
		in.Miners = append(in.Miners, m)
		e := scoring.Evaluation{UID: m.UID}
		for _, repo := range in.Registry.Repositories {
			e.Merged = append(e.Merged, pulls(repo.Name, scoring.Merged, m.UID*100, r.IntN(4), r.Float64()*30)...)
			e.Open = append(e.Open, pulls(repo.Name, scoring.Open, m.UID*100+50, r.IntN(4), r.Float64()*30)...)
			if r.IntN(3) == 0 {
				in.Maintainers[repo.Name] = append(in.Maintainers[repo.Name], scoring.Maintainer{GitHubID: m.GitHubID})
			}
			if r.IntN(2) == 0 {
				issue := solved(repo.Name, m.UID, 5000+m.UID)
				e.Issues = &scoring.IssueAnswers{Listed: []scoring.Issue{issue}, Solving: []scoring.SolvingScore{
					{Repository: repo.Name, Number: 5000 + m.UID, BaseScore: r.Float64() * 30, TokenScore: r.Float64() * 20},
				}}
			}
		}
		in.Evaluations[m.UID] = e
	}
	return in
}

func TestEmission(t *testing.T) {
	t.Parallel()
	// Miner 5 earns 3 and miner 6 earns 1 in r/a; r/b is idle; nobody has r/c.
	evaluations := []scoring.Evaluation{
		{UID: 0}, {UID: 111},
		{UID: 5, Merged: pulls("r/a", scoring.Merged, 1, 3, 1)},
		{UID: 6, Merged: append(pulls("r/a", scoring.Merged, 10, 2, 0), pull("r/a", 20, scoring.Merged, 1))},
	}
	const reg = `{"r/a": {"emission_share": 0.4, "maintainer_cut": 0.5}, "r/b": {"emission_share": 0.4}, "r/c": {"emission_share": 0}}`
	in := roundOf(t, reg, evaluations...)
	in.Maintainers["r/a"] = []scoring.Maintainer{{GitHubID: "1006"}, {GitHubID: "1006"}, {GitHubID: "5555"}, {GitHubID: "1000"}}
	out := scoring.Conclude(in)
	// The cut is 0.5 × 0.4 × 0.9; what scores is (0.2 + 0.4) × 0.9, all of it
	// r/a's; 0.2 × 0.9 is not configured.
	for uid, want := range map[int]float64{0: 0.18, 111: 0.1, 5: 0.54 * 0.75, 6: 0.18 + 0.54*0.25} {
		if got := rewardOf(out, uid); math.Abs(got-want) > 1e-12 {
			t.Errorf("miner %d: got %v, want %v", uid, got, want)
		}
	}
	if diff := cmp.Diff(map[string][]int{"r/a": {6}}, out.Maintainers); diff != "" {
		t.Errorf("maintainers, -want +got:\n%s", diff)
	}
	if got := out.Emission[0].RepoSlice; math.Abs(got-0.36) > 1e-12 {
		t.Errorf("slice: got %v, want 0.36", got)
	}
	if len(out.Emission) != 2 || out.Emission[0].Repository != "r/a" || out.Emission[1].Active {
		t.Errorf("emission: got %+v, want r/a, and r/b which is not active", out.Emission)
	}
	// Without a maintainers look-up there is no cut; without scores all goes
	// to UID 0.
	in.Maintainers = nil
	in.Evaluations = map[int]scoring.Evaluation{}
	if got := rewardOf(scoring.Conclude(in), 0); math.Abs(got-0.9) > 1e-12 {
		t.Errorf("nobody earned: UID 0 gets %v, want 0.9", got)
	}
	// Without UID 0 and 111 what is theirs goes to nobody.
	in.Miners = in.Miners[2:]
	if got := scoring.Conclude(in).Sum; got != 0 {
		t.Errorf("without UID 0 and 111: the rewards sum to %v, want 0", got)
	}
}

func TestSidesOfASlice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		share         string
		pulls, issues bool
		want          [3]float64 // of the pull requests', of the issues', recycled
	}{
		{"0.25", true, true, [3]float64{0.675, 0.225, 0}},
		{"0.25", true, false, [3]float64{0.9, 0, 0}},
		{"0.25", false, true, [3]float64{0, 0.9, 0}},
		{"0.25", false, false, [3]float64{0, 0, 0.9}},
		{"0", true, true, [3]float64{0.9, 0, 0}},
		{"0", false, true, [3]float64{0, 0, 0.9}},
		{"1", true, true, [3]float64{0, 0.9, 0}},
		{"1", true, false, [3]float64{0, 0, 0.9}},
	} {
		e := scoring.Evaluation{UID: 5}
		if tt.pulls {
			e.Merged = pulls("r/a", scoring.Merged, 1, 3, 1)
		}
		if tt.issues {
			e.Issues = &scoring.IssueAnswers{
				Listed:  []scoring.Issue{solved("r/a", 1, 90)},
				Solving: []scoring.SolvingScore{{Repository: "r/a", Number: 90, BaseScore: 2, TokenScore: 50}},
			}
		}
		out := scoring.Conclude(roundOf(t, `{"r/a": {"emission_share": 1, "issue_discovery_share": `+tt.share+
			`, "eligibility": {"min_valid_solved_issues": 1}}}`, e))
		slice := out.Emission[0]
		got := [3]float64{slice.PRSlice, slice.IssueDiscoverySlice, out.Pool.Recycled}
		for i := range got {
			if math.Abs(got[i]-tt.want[i]) > 1e-12 {
				t.Errorf("issue share %s, pulls %v, issues %v: got %v, want %v", tt.share, tt.pulls, tt.issues, got, tt.want)
				break
			}
		}
	}
}

// Maps that are absent, miners twice, evaluations of nobody: nothing panics.
func TestConcludeOfLittle(t *testing.T) {
	t.Parallel()
	out := scoring.Conclude(scoring.RoundInput{})
	data, err := json.Marshal(out)
	if err != nil || len(out.Miners) != 0 {
		t.Errorf("an empty round: got %s, %v", data, err)
	}
	in := roundOf(t, `{"a/b": {"emission_share": 1}}`)
	in.Miners = []input.Miner{minerOf(5), minerOf(5)}
	in.Evaluations[9] = scoring.Evaluation{UID: 9, Merged: pulls("x/y", scoring.Merged, 1, 1, 1)}
	in.Evaluations[5] = scoring.Evaluation{UID: 5, Merged: pulls("x/y", scoring.Merged, 1, 1, 1), Open: pulls("x/y", scoring.Open, 2, 1, 1)}
	if out := scoring.Conclude(in); len(out.Miners) != 1 || len(out.Miners[0].Repositories) != 0 {
		t.Errorf("got %+v, want one miner without repositories", out.Miners)
	}
}

// The validator's sums compensate for floats alone: a fixed base score that is
// written as an integer is added as it is. The values are Python 3.12's.
func TestTotalsOfFixedBaseScores(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fixed string
		whole bool // what the pull request was scored with: a stored one keeps it
		want  float64
	}{
		{"90", true, 99.42999999999999}, {"90.0", true, 99.42999999999999}, {"90.0", false, 99.43}, {"90", false, 99.43},
	} {
		scored := pull("a/c", 2, scoring.Merged, 90)
		scored.BaseWhole = c.whole
		in := roundOf(t, `{"a/b": {"emission_share": 0.1}, "a/c": {"emission_share": 0.1, "fixed_base_score": `+c.fixed+`}, "a/d": {"emission_share": 0.1}}`,
			scoring.Evaluation{UID: 5, Merged: []scoring.ScoredPullRequest{
				pull("a/b", 1, scoring.Merged, 0.02), scored, pull("a/d", 3, scoring.Merged, 9.41),
			}})
		if got := outcomeOf(t, scoring.Conclude(in), 5).BaseTotalScore; got != c.want {
			t.Errorf("fixed at %s, scored as an integer: %v: got %v, want %v", c.fixed, c.whole, got, c.want)
		}
	}
}
