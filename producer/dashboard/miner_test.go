package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/dashboard"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
)

// figure reads a figure of a page.
func figure(t *testing.T, text string) float64 {
	t.Helper()
	text = strings.NewReplacer("−", "-", "+", "", "× ", "").Replace(text)
	return must.Get(strconv.ParseFloat(text, 64))(t)
}

// near says whether a figure is one of so many decimals of a value.
func near(shown, value float64, decimals int) bool {
	return math.Abs(shown-value) <= 0.5000001*math.Pow10(-decimals)
}

// Every figure on a miner's page is the outcome's: what it gets by repository, each step of
// its waterfalls, each pull request's factors, score and reward. The steps of a waterfall
// add up to what the repository pays.
func TestMinerPageHasTheOutcomesFigures(t *testing.T) {
	t.Parallel()
	b, result := minersRound(t)
	for _, uid := range []int{1, 2} {
		m := must.Get(view.MinerIn(&result, uid))(t)
		miner := view.MinerFrom(&result, m)
		a := b.get(t, fmt.Sprintf("/rounds/%s/miners/%d", result.Round, uid))
		has(t, a, http.StatusOK, "<title>Miner "+strconv.Itoa(uid), "/api/v1/rounds/"+result.Round+"/miners/"+strconv.Itoa(uid))
		page := parsed(t, a)
		var rewards float64
		for _, row := range page.rows(t, "The reward by repository")[1:] {
			if row[0] == "Reward" {
				rewards = figure(t, row[4])
			}
		}
		if want := miner.Rewards.Reward; !near(rewards, want, 9) || want == 0 {
			t.Errorf("miner %d: the reward is %v, want %v", uid, rewards, want)
		}
		sum := 0.0
		steps := page.rows(t, "Waterfall of pull requests of "+miner.Derivation[0].Repository)
		derived := miner.Derivation[0].Pulls.Waterfall
		if len(steps) != len(derived)+2 {
			t.Fatalf("miner %d: the waterfall has %d rows, want the head, %d steps and the end", uid, len(steps), len(derived))
		}
		for i, step := range derived {
			row := steps[i+1]
			if row[0] != step.Name || !near(figure(t, row[2]), step.Gave, 4) || !near(figure(t, row[3]), step.Score, 4) ||
				!near(figure(t, row[4]), *step.Reward, 9) {
				t.Errorf("miner %d: step %v, want %+v", uid, row, step)
			}
			sum += figure(t, row[4])
		}
		if end := figure(t, steps[len(steps)-1][3]); math.Abs(sum-end) > 1e-8 || !near(end, miner.Rewards.Repositories[0].Pulls.Reward, 9) {
			t.Errorf("miner %d: the steps come to %v and the end is %v, want %v", uid, sum, end, miner.Rewards.Repositories[0].Pulls.Reward)
		}
		checkItems(t, page.rows(t, "Pull requests and issues")[1:], m)
	}
}

// checkItems holds the rows of pull requests against the outcome, and their order.
func checkItems(t *testing.T, rows [][]string, m *scoring.MinerOutcome) {
	t.Helper()
	if len(rows) != len(m.PullRequests)+len(m.Issues) {
		t.Errorf("miner %d: %d rows, want %d pull requests and %d issues", m.UID, len(rows), len(m.PullRequests), len(m.Issues))
	}
	last := math.Inf(1)
	for _, row := range rows {
		name := strings.Fields(row[0])[0]
		at := slices.IndexFunc(m.PullRequests, func(p scoring.PullRequestOutcome) bool { return fmt.Sprintf("%s#%d", p.Repository, p.Number) == name })
		if at < 0 {
			continue // an issue
		}
		p := &m.PullRequests[at]
		gives := p.EarnedScore
		if p.State == scoring.Open {
			gives = -p.CollateralScore
		}
		if !near(figure(t, row[3]), p.BaseScore, 2) || !near(figure(t, row[9]), gives, 4) || !strings.EqualFold(row[2], string(p.State)) {
			t.Errorf("%s: %v, want base %v, that gives %v", name, row, p.BaseScore, gives)
		}
		if p.State == scoring.Merged && (!near(figure(t, row[7]), p.TimeDecayMultiplier, 2) || !near(figure(t, row[6]), p.OpenPRSpamMultiplier, 2)) {
			t.Errorf("%s: %v, want decay %v and open %v", name, row, p.TimeDecayMultiplier, p.OpenPRSpamMultiplier)
		}
		reward := figure(t, row[10])
		if reward > last {
			t.Errorf("%s gives %v, and stands below one that gives %v", name, reward, last)
		}
		last = reward
	}
}

// A miner's page says what is dropped and by which rule, shows the attempts, sorts and
// filters as the address says, and links to the pull requests, to GitHub and to what-if.
func TestMinerPage(t *testing.T) {
	t.Parallel()
	b, result := minersRound(t)
	at := "/rounds/" + result.Round
	a := b.get(t, at+"/miners/1")
	has(t, a, http.StatusOK, `href="`+at+`/pulls/a/b/101"`, `href="https://github.com/a/b/pull/101"`, `href="https://github.com/a/b/issues/150"`,
		"base branch not acceptable", "base_ref", "not met", "✗", "✓", at+"/miners/1/levers", at+"/rescore?uids=1", "committed", "w1", "not completed (")
	page := parsed(t, a)
	if rows := page.rows(t, "Dropped pull requests"); len(rows) != 2 || !strings.HasPrefix(rows[1][0], "a/b#105") {
		t.Errorf("dropped: %v, want a/b#105", rows)
	}
	if rows := page.rows(t, "Attempts"); len(rows) != 2 || rows[1][3] != "w1" || rows[1][7] != "committed" {
		t.Errorf("attempts: %v, want one of w1", rows)
	}
	if rows := parsed(t, b.get(t, at+"/miners/1?sort=item&filter=merged")).rows(t, "Pull requests and issues"); len(rows) != 5 ||
		!strings.HasPrefix(rows[1][0], "a/b#101") || !strings.HasPrefix(rows[2][0], "a/b#102") {
		t.Errorf("the merged ones by number: %v", rows)
	}
	has(t, b.get(t, at+"/miners/1?filter=zz%3Cscript%3E"), http.StatusOK, "None has")
	has(t, b.get(t, at+"/miners/1?revision=1"), http.StatusOK, "revision 1", at+"/pulls/a/b/101?revision=1")
	has(t, b.get(t, at+"/miners/0"), http.StatusOK, "all that is recycled")
	has(t, b.get(t, at+"/miners/3"), http.StatusOK, "FAILED", "no stored token", "has no job in this round")
	has(t, b.get(t, "/rounds/latest/miners/2"), http.StatusOK, "Miner 2")
	for path, want := range map[string]struct {
		status int
		says   string
	}{
		at + "/miners/9":                       {http.StatusNotFound, "0, 1, 2, 3, 111"},
		at + "/miners/x":                       {http.StatusNotFound, "want a whole number"},
		at + "/miners/1?sort=colour":           {http.StatusBadRequest, "want one of item"},
		at + "/miners/1?page=7":                {http.StatusBadRequest, "from 1 to 1"},
		at + "/miners/1?revision=x":            {http.StatusBadRequest, "want a whole number from 1"},
		at + "/miners/1?revision=9":            {http.StatusNotFound, "has no revision 9"},
		"/rounds/never/miners/1":               {http.StatusNotFound, result.Round},
		"/rounds/%3Cscript%3E/miners/1":        {http.StatusNotFound, "no such round"},
		at + "/miners/9/levers":                {http.StatusNotFound, "0, 1, 2, 3, 111"},
		at + "/miners/9/what-if":               {http.StatusNotFound, "0, 1, 2, 3, 111"},
		at + "/pulls/a/b/99":                   {http.StatusNotFound, "no such pull request"},
		at + "/pulls/a/b/x":                    {http.StatusNotFound, "want a whole number"},
		at + "/repositories/a/zzz":             {http.StatusNotFound, "it has a/b"},
		at + "/repositories/a/b?sort=nothing":  {http.StatusBadRequest, "want one of uid"},
		at + "/pulls/a/b/101?sort=nothing":     {http.StatusBadRequest, "want one of file"},
		at + "/repositories?filter=&page=none": {http.StatusBadRequest, "from 1 to 1"},
	} {
		has(t, b.get(t, path), want.status, want.says)
	}
}

// A pull request's page has its formulas, its gates, its waterfall and its files; that of a
// dropped one has the rule.
func TestPullPage(t *testing.T) {
	t.Parallel()
	b, result := minersRound(t)
	at := "/rounds/" + result.Round + "/pulls/a/b/"
	m := must.Get(view.MinerIn(&result, 1))(t)
	pull := must.Get(view.PullIn(&result, m, view.PullName{Repository: "a/b", Number: 101}))(t)
	a := b.get(t, at+"101")
	has(t, a, http.StatusOK, "<title>a/b#101", "by its syntax tree", "by its lines", "README.md", "structural &#43;4", "no pattern matches",
		`href="https://github.com/a/b/pull/101"`, "Title")
	page := parsed(t, a)
	for _, f := range pull.Derivation.Formulas {
		if !strings.Contains(page.text(), "= "+f.Formula) {
			t.Errorf("the formula of %s is not there: %s", f.Name, f.Formula)
		}
	}
	for _, gate := range pull.Derivation.Gates {
		if !strings.Contains(page.text(), fmt.Sprintf("%s %s (required: %s) met", gate.Name, gate.Value, gate.Required)) {
			t.Errorf("the gate %+v is not there", gate)
		}
	}
	steps := page.rows(t, "Waterfall of a/b#101")
	if end := steps[len(steps)-1]; !near(figure(t, end[len(end)-2]), pull.PullRequest.EarnedScore, 4) || pull.PullRequest.EarnedScore == 0 {
		t.Errorf("the waterfall ends with %v, want %v", end, pull.PullRequest.EarnedScore)
	}
	if rows := page.rows(t, "Files by method and language"); len(rows) != 3 || rows[1][1] != "go" || rows[2][1] != "md" {
		t.Errorf("files: %v, want those of go before the one of md", rows)
	}
	has(t, b.get(t, at+"103"), http.StatusOK, "holds back", "percent held back")
	has(t, b.get(t, at+"104"), http.StatusOK, "closed without a merge")
	has(t, b.get(t, at+"105"), http.StatusOK, "base branch not acceptable", "a dropped pull request&#39;s files are not fetched")
	// An outcome that a page has read stays as it is: a what-if compares it to the byte.
	has(t, b.get(t, "/rounds/"+result.Round+"/miners/1/levers"), http.StatusOK, "Levers of miner 1")
}

// The pages of repositories have the outcome's split, the contributors and the thresholds.
func TestRepositoryPages(t *testing.T) {
	t.Parallel()
	b, result := minersRound(t)
	at := "/rounds/" + result.Round + "/repositories"
	e := &result.Outcome.Emission[0]
	row := parsed(t, b.get(t, at)).rows(t, "Repositories")[1]
	if row[0] != "a/b" || !near(figure(t, row[3]), e.RepoSlice, 9) || !near(figure(t, row[6]), e.PRSlice, 9) || row[9] != "2" {
		t.Errorf("the row is %v, want that of %+v", row, e)
	}
	a := b.get(t, at+"/A/B")
	has(t, a, http.StatusOK, "<title>a/b", "https://github.com/a/b", "25.0 %")
	page := parsed(t, a)
	rows := page.rows(t, "Contributors")[1:]
	if len(rows) != 2 {
		t.Fatalf("contributors %v, want both miners", rows)
	}
	for _, row := range rows {
		uid := must.Get(strconv.Atoi(strings.TrimPrefix(row[0], "miner ")))(t)
		if !near(figure(t, row[5]), e.PRScores[uid], 4) || !near(figure(t, row[9]), e.PRRewards[uid], 9) {
			t.Errorf("miner %d: %v, want score %v and reward %v", uid, row, e.PRScores[uid], e.PRRewards[uid])
		}
	}
	thresholds := page.rows(t, "Thresholds")
	if !slices.ContainsFunc(thresholds, func(r []string) bool { return r[1] == "Merged, at least" && r[2] == "1" }) {
		t.Errorf("thresholds %v, want the registry's 1 merged", thresholds)
	}
}

// A miner of a round that still runs has its job's phase and attempts, and no score.
func TestMinerOfARunningRound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.Plan(t, now)
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	runner := b.Runner(t)
	go func() { _, err := runner.Start(ctx, m); over <- err }()
	waiting, cancel := context.WithTimeoutCause(t.Context(), 30*time.Second, errors.New("it is not planned"))
	defer cancel()
	must.Until(waiting, t, "the job of miner 1 is planned", func() bool {
		record, _, err := b.Bus.Records.Load(t.Context(), m.Round, 1)
		return err == nil && record.Phase == job.Planned
	})
	has(t, b.get(t, "/rounds/"+m.Round+"/miners/1"), http.StatusOK, "There is no score yet", "waits for a worker", "/miners/1/attempts")
	has(t, b.get(t, "/rounds/latest/miners/3"), http.StatusOK, "has no job in this round")
	has(t, b.get(t, "/rounds/"+m.Round+"/miners/9"), http.StatusNotFound, "0, 1, 2, 3, 111")
	for _, path := range []string{"/pulls/a/b/1", "/repositories", "/miners/1/levers", "/miners/1/what-if"} {
		has(t, b.get(t, "/rounds/"+m.Round+path), http.StatusNotFound, "no outcome yet")
	}
	stop()
	if err := must.Receive(waiting, t, over, "the end of the round"); !errors.Is(err, context.Canceled) {
		t.Errorf("the round ended with %v", err)
	}
}

// A miner's history goes by hotkey: what another one got under the uid is not its own, and
// what it got itself under another uid is.
func TestHistory(t *testing.T) {
	t.Parallel()
	b, first := minersRound(t)
	second := b.Plan(t, now.Add(2*time.Hour))
	for i := range second.Miners { // the two change places
		switch m := &second.Miners[i]; m.UID {
		case 1:
			m.Hotkey, m.GitHubID = "h2", "102"
		case 2:
			m.Hotkey, m.GitHubID = "new"+hostile, "109"
		}
	}
	second.Due = second.PlannedAt
	ctx, cancel := context.WithTimeoutCause(t.Context(), 60*time.Second, errors.New("it did not end"))
	defer cancel()
	later := must.Get(b.Runner(t).Start(ctx, second))(t)

	has(t, b.get(t, "/rounds/"+later.Round+"/miners/1"), http.StatusOK, `href="/api/v1/rounds/`+later.Round+`/miners/1/history"`)
	rows := parsed(t, b.get(t, "/rounds/"+later.Round+"/miners/1")).rows(t, "History")
	if len(rows) != 3 || rows[2][1] != "2" || !near(figure(t, rows[2][2]), rewardOf(first.Outcome.Rewards, 2), 9) ||
		!near(figure(t, rows[1][2]), rewardOf(later.Outcome.Rewards, 1), 9) {
		t.Errorf("h2, now under uid 1: %v, want that it was uid 2", rows)
	}
	rows = parsed(t, b.get(t, "/rounds/"+later.Round+"/miners/2")).rows(t, "History")
	if len(rows) != 3 || !strings.Contains(rows[2][2], "another miner had the uid: h2") {
		t.Errorf("the new hotkey of uid 2: %v, want no figures of h2", rows)
	}
	if rows = parsed(t, b.get(t, "/rounds/"+first.Round+"/miners/1")).rows(t, "History"); len(rows) != 2 {
		t.Errorf("of the first round: %v, want no later one", rows)
	}
	_, _, err := b.Runner(t).Replay(ctx, first.Round, outcome.Selection{UIDs: []int{1}, Rescore: true})
	must.Do(t, err)
	for query, want := range map[string]string{"": " this one", "?revision=2": " this one", "?revision=1": " revision 2 of this one"} {
		rows = parsed(t, b.get(t, "/rounds/"+first.Round+"/miners/1"+query)).rows(t, "History")
		if got := strings.TrimPrefix(rows[1][0], first.Round); got != want {
			t.Errorf("%q: the row of the round says %q, want %q: the history has last revisions", query, got, want)
		}
	}
}

func rewardOf(rewards []scoring.Reward, uid int) float64 {
	at := slices.IndexFunc(rewards, func(r scoring.Reward) bool { return r.UID == uid })
	return rewards[at].Reward
}

// A miner whose job is dead says so in words, with the failure of its attempt as the mirror
// and the worker gave it.
func TestMinerPageOfADeadJob(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *dashboard.Config) { cfg.Jaeger = "http://jaeger.example:16686/" })
	result := b.Incomplete(t, now)
	a := b.get(t, "/rounds/"+result.Round+"/miners/2")
	has(t, a, http.StatusOK, "DEAD LETTER", "permanent after 1 attempt", "its pull requests could not be listed", "no pull request and no issue")
	if rows := parsed(t, a).rows(t, "Attempts"); len(rows) != 2 || rows[1][7] != "dead" || !strings.Contains(rows[1][8], "permanent: the mirror answered 404") {
		t.Errorf("attempts: %v, want one that is dead of a 404", rows)
	}
	has(t, b.get(t, "/rounds/"+result.Round+"/miners/2/levers"), http.StatusOK, "No single change")
	has(t, b.get(t, "/rounds/"+result.Round+"/miners/2/what-if"), http.StatusOK, "only the registry can be another")
}
