package dashboard

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// minerBody is the page of a miner in a round.
type minerBody struct {
	At     place
	Miner  view.Miner
	Jaeger string // the address of its trace; "" for none
	Login  string // "" for unknown
	AsOf   time.Time
	// Revision is the outcome's, Last says that the address asks for the last one.
	Revision int
	Last     bool
	Failed   string
	// Replays and Rescores say which orders there are for the miner.
	Replays, Rescores bool

	Tiles    []tile
	Notes    []view.Note
	Sources  sources
	Parts    []repositoryPart
	Items    table[itemRow]
	Dropped  []droppedRow
	Attempts attempts
	History  history
}

// miner is the page of a miner: what it gets, and why.
func (d *Dashboard) miner(r *http.Request) (page, error) {
	uid, err := uidOf(r)
	if err != nil {
		return page{}, err
	}
	at, result, err := d.outcomeOf(r)
	if errors.Is(err, view.ErrNotConcluded) {
		return d.unfinishedMiner(r, at, uid)
	}
	if err != nil {
		return page{}, err
	}
	m, err := view.MinerIn(&result, uid)
	if err != nil {
		return page{}, notFound(err)
	}
	body := minerBody{
		At:       at,
		Login:    view.LoginOf(m),
		AsOf:     result.AsOf,
		Revision: result.Revision,
		Last:     at.Revision == 0,
		Failed:   string(m.Failed),
		Dropped:  droppedOf(at, m),
	}
	if body.Miner, err = view.MinerOf(r.Context(), d.cfg.Bus, result, m); err != nil {
		return page{}, err
	}
	body.Jaeger = d.jaeger(body.Miner.Trace)
	body.Notes = body.Miner.Notes()
	body.Tiles = minerTiles(m, body.Miner.Rewards.Reward)
	body.Sources = sourcesOf(at, &body.Miner.Rewards)
	body.Parts = partsOf(at, &body.Miner)
	if body.Items, err = readItems(r, itemsOf(at, &body.Miner)); err != nil {
		return page{}, err
	}
	if body.Attempts, err = d.attemptsOf(r, at.Round, uid); err != nil {
		return page{}, err
	}
	if body.History, err = d.historyOf(r, at.Round, result.Revision, uid, m.Hotkey); err != nil {
		return page{}, err
	}
	if d.cfg.Guard.TakesOrders() {
		body.Replays, body.Rescores = d.lacks(r, at.Round, uid), !body.Attempts.NoJob
	}
	return page{
		Template: "miner",
		Title:    fmt.Sprintf("Miner %d · %s", uid, at.Round),
		Nav:      "Rounds",
		JSON:     at.JSON("miners", strconv.Itoa(uid)),
		Body:     body,
	}, nil
}

// lacks says whether a miner is among those that a replay of the round runs.
func (d *Dashboard) lacks(r *http.Request, round string, uid int) bool {
	stands, err := d.standings.Of(r.Context(), d.cfg.Bus, round, d.cfg.Now())
	return err == nil && slices.ContainsFunc(stands.Failures, func(one outcome.Failed) bool { return one.UID == uid })
}

// tileDigits are the decimals of a reward where it is only looked at; the tables have all.
const tileDigits = 6

func minerTiles(m *scoring.MinerOutcome, reward float64) []tile {
	tiles := []tile{{"Reward", decimals(reward, tileDigits), percent(reward) + " of the emission"}}
	if m.Failed != input.NoFailure {
		return tiles
	}
	return append(tiles,
		tile{"Score", decimals(m.TotalScore, scoreDigits), view.ZeroNote(m)},
		tile{"Held back", decimals(m.TotalCollateralScore, scoreDigits), "by open pull requests"},
		tile{"Issue score", decimals(m.IssueDiscoveryScore, 2), "credibility " + trimmed(m.IssueCredibility)},
		tile{"Pull requests", number(m.TotalMergedPRs) + " merged",
			fmt.Sprintf("%d open, %d closed, %d dropped", m.TotalOpenPRs, m.TotalClosedPRs, len(m.Dropped))},
		tile{"Credibility", trimmed(m.Credibility), "in " + plural.Forms(m.UniqueRepositories, "repository", "repositories")},
	)
}

// sources are the parts of a reward, with the chart of them.
type sources struct {
	Rows  []sourceRow
	Total string
	Chart template.HTML
	// None says why there are no rows.
	None string
}

// sourceRow is what one repository, or a special uid, gives.
type sourceRow struct {
	Name, Link                string
	Pulls, Issues, Maintainer string
	Reward                    string
	Mark                      string // the class of its part of the chart
}

// fills are the classes of the parts of a chart, by turns.
func fills() []string {
	return []string{"fill", "fill-good", "fill-warn", "fill-muted"}
}

func sourcesOf(at place, path *view.Path) sources {
	s := sources{Total: decimals(path.Reward, rewardDigits)}
	var portions []portion
	add := func(row sourceRow, reward float64) {
		row.Reward = decimals(reward, rewardDigits)
		row.Mark = fills()[len(s.Rows)%len(fills())]
		s.Rows = append(s.Rows, row)
		portions = append(portions, portion{row.Mark, reward, row.Name + ": " + row.Reward})
	}
	for _, r := range byReward(path) {
		add(sourceRow{
			Name:       r.Repository,
			Link:       at.Repository(r.Repository),
			Pulls:      decimals(r.Pulls.Reward, rewardDigits),
			Issues:     decimals(r.Issues.Reward, rewardDigits),
			Maintainer: decimals(r.MaintainerReward, rewardDigits),
		}, r.Reward())
	}
	if path.Recycled > 0 {
		add(sourceRow{Name: "all that is recycled, as the recycle uid"}, path.Recycled)
	}
	if path.Treasury > 0 {
		add(sourceRow{Name: "the issue treasury"}, path.Treasury)
	}
	if len(s.Rows) == 0 {
		s.None = "None of its work is in a repository with an emission share."
		return s
	}
	s.Chart = stacked("The reward by where it comes from", path.Reward, portions...)
	return s
}

// byReward are the repositories of a path, those that pay most first.
func byReward(path *view.Path) []view.RepositoryPath {
	return slices.SortedStableFunc(slices.Values(path.Repositories), func(a, b view.RepositoryPath) int {
		return cmp.Compare(b.Reward(), a.Reward())
	})
}

// repositoryPart is a miner's part in one repository.
type repositoryPart struct {
	Name, Link, GitHub string
	Sides              []sidePart
	// Formulas lead from the repository's share to what it pays the miner.
	Formulas []view.Formula
	Notes    []string

	reward float64
}

// sidePart is the one of pull requests, or that of issues.
type sidePart struct {
	Name, Score string
	Zero        string
	Gates       []view.Requirement
	Fall        fall
	Formulas    []view.Formula
}

// partsOf are the repositories in which a miner has scores, or something to gain, those that
// pay most first.
func partsOf(at place, a *view.Miner) []repositoryPart {
	paths := map[string]*view.RepositoryPath{}
	for i := range a.Rewards.Repositories {
		paths[a.Rewards.Repositories[i].Repository] = &a.Rewards.Repositories[i]
	}
	var parts []repositoryPart
	for i := range a.Derivation {
		d, r := &a.Derivation[i], &a.Outcome.Repositories[i]
		part := repositoryPart{Name: d.Repository, Link: at.Repository(d.Repository), GitHub: onGitHub(d.Repository)}
		path := paths[d.Repository]
		delete(paths, d.Repository)
		if r.PullGate != nil {
			part.Sides = append(part.Sides, sideOf(r.Repository, "pull requests", decimals(r.TotalScore, scoreDigits), d.Pulls))
		}
		if r.IssueGate != nil {
			part.Sides = append(part.Sides, sideOf(r.Repository, "issues", decimals(r.IssueDiscoveryScore, 2), d.Issues))
		} else if r.TotalOpenIssues > 0 {
			part.Notes = append(part.Notes, plural.Of(r.TotalOpenIssues, "open issue")+", none to judge.")
		}
		part.pay(path)
		parts = append(parts, part)
	}
	for i := range a.Rewards.Repositories { // those that it only maintains
		if r := &a.Rewards.Repositories[i]; paths[r.Repository] != nil {
			part := repositoryPart{Name: r.Repository, Link: at.Repository(r.Repository), GitHub: onGitHub(r.Repository)}
			part.pay(r)
			parts = append(parts, part)
		}
	}
	slices.SortStableFunc(parts, func(a, b repositoryPart) int { return cmp.Compare(b.reward, a.reward) })
	return parts
}

func sideOf(repository, name, score string, d view.Derivation) sidePart {
	return sidePart{
		Name:     name,
		Score:    score,
		Zero:     d.Zero,
		Gates:    d.Gates,
		Fall:     fallOf(name+" of "+repository, d),
		Formulas: d.Formulas,
	}
}

// pay adds how the repository pays; path is nil for one without emission.
func (p *repositoryPart) pay(path *view.RepositoryPath) {
	if path == nil {
		p.Notes = append(p.Notes, "It has no share of the emission, and pays nothing.")
		return
	}
	p.Formulas, p.reward = path.Formulas, path.Reward()
	for i := range p.Sides {
		side := &p.Sides[i]
		if strings.HasPrefix(side.Name, "pull") {
			side.Fall = side.Fall.shared(path.Pulls)
		} else {
			side.Fall = side.Fall.shared(path.Issues)
		}
	}
	if path.MaintainerReward > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("It gets %s as one of %s.", decimals(path.MaintainerReward, rewardDigits),
			plural.Of(path.Maintainers, "maintainer")))
	}
	if !path.Active {
		p.Notes = append(p.Notes, fmt.Sprintf("Nobody scores here: nothing is paid for scores, and %s is recycled.",
			decimals(path.RecycledAmount, rewardDigits)))
	}
}
