package dashboard

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// repositoriesBody is the page of a round's repositories.
type repositoriesBody struct {
	At    place
	Pool  []tile
	Chart template.HTML
	Table table[repositoryRow]
}

// repositoryRow is a repository of the registry.
type repositoryRow struct {
	view.Split

	Link  string
	State badge
	Chart template.HTML
}

// repositories is the page of how the emission was split.
func (d *Dashboard) repositories(r *http.Request) (page, error) {
	at, result, err := d.outcomeOf(r)
	if err != nil {
		return page{}, err
	}
	registry, err := view.RegistryOf(r.Context(), d.cfg.Bus, at.Round)
	if err != nil {
		return page{}, err
	}
	body := repositoriesBody{At: at, Pool: poolTiles(&result.Outcome)}
	rows := []repositoryRow{}
	for _, split := range view.SplitsOf(&result, registry) {
		rows = append(rows, repositoryRow{
			Split: split,
			Link:  at.Repository(split.Repository),
			State: activity(split),
			Chart: splitChart(split),
		})
	}
	body.Table, err = readTable(r, "repositories", repositoryColumns(), rows, "-share", func(row *repositoryRow, text string) bool {
		return strings.Contains(row.Repository, text) || strings.Contains(row.State.Text, text)
	})
	return page{
		Template: "repositories",
		Title:    "Repositories · " + at.Round,
		Nav:      "Rounds",
		JSON:     at.JSON("outcome"),
		Body:     body,
	}, err
}

func activity(s view.Split) badge {
	switch {
	case s.EmissionShare <= 0:
		return badge{"no share", ""}
	case s.Active:
		return badge{"active", "good"}
	}
	return badge{"nobody scores", "warn"}
}

// poolTiles are the figures of the whole emission.
func poolTiles(o *scoring.Outcome) []tile {
	return []tile{
		{"Configured", percent(o.Pool.ConfiguredShare), "of all repositories"},
		{"Active", percent(o.Pool.ActiveScoringShare), "of " + percent(o.Pool.ScoringShare) + " for scores"},
		{"Multiplier", trimmed(o.Pool.Multiplier), "what inactive ones pass on"},
		{"Recycled", decimals(o.Pool.Recycled, rewardDigits), ""},
		{"Treasury", decimals(o.Pool.Treasury, rewardDigits), ""},
		{"Taken by nobody", decimals(o.Untaken, rewardDigits), ""},
	}
}

func repositoryColumns() []column[repositoryRow] {
	return []column[repositoryRow]{
		{"repository", "Repository", false, by(func(r *repositoryRow) string { return r.Repository })},
		{"state", "State", false, by(func(r *repositoryRow) string { return r.State.Text })},
		{"share", "Share", true, by(func(r *repositoryRow) float64 { return r.EmissionShare })},
		{"slice", "Slice", true, by(func(r *repositoryRow) float64 { return r.RepoSlice })},
		{Key: "split", Title: "Split"},
		{"maintainers", "Maintainers", true, by(func(r *repositoryRow) float64 { return r.MaintainerCarveOut })},
		{"pulls", "Pull requests", true, by(func(r *repositoryRow) float64 { return r.PRSlice })},
		{"issues", "Issues", true, by(func(r *repositoryRow) float64 { return r.IssueDiscoverySlice })},
		{"recycled", "Recycled", true, by(func(r *repositoryRow) float64 { return r.RecycledAmount })},
		{"miners", "Paid miners", true, by(func(r *repositoryRow) int { return r.Miners })},
	}
}

// splitChart draws how what a repository pays is split.
func splitChart(s view.Split) template.HTML {
	whole := s.MaintainerCarveOut + s.PRSlice + s.IssueDiscoverySlice + s.RecycledAmount
	label := fmt.Sprintf("maintainers %s, pull requests %s, issues %s, recycled %s", decimals(s.MaintainerCarveOut, rewardDigits),
		decimals(s.PRSlice, rewardDigits), decimals(s.IssueDiscoverySlice, rewardDigits), decimals(s.RecycledAmount, rewardDigits))
	return stacked(label, whole,
		portion{"fill-warn", s.MaintainerCarveOut, "maintainers"},
		portion{"fill", s.PRSlice, "pull requests"},
		portion{"fill-good", s.IssueDiscoverySlice, "issues"},
		portion{"fill-muted", s.RecycledAmount, "recycled"})
}

// repositoryBody is the page of one repository in a round.
type repositoryBody struct {
	At     place
	Name   string
	GitHub string
	State  badge
	Tiles  []tile
	Chart  template.HTML
	Split  []splitRow
	Rules  []rule
	Labels []input.LabelMultiplier
	Table  table[contributorRow]
}

// splitRow is one part of what a repository pays.
type splitRow struct{ Name, Amount, Share, Among, Mark string }

// rule is a setting of the registry.
type rule struct{ Group, Name, Value string }

// contributorRow is a miner that has work in the repository.
type contributorRow struct {
	view.Contributor

	Link string
}

// repository is the page of a repository: how its slice was split, and its contributors.
func (d *Dashboard) repository(r *http.Request) (page, error) {
	at, result, err := d.outcomeOf(r)
	if err != nil {
		return page{}, err
	}
	registry, err := view.RegistryOf(r.Context(), d.cfg.Bus, at.Round)
	if err != nil {
		return page{}, err
	}
	found, err := view.RepositoryIn(&result, registry, strings.ToLower(r.PathValue("owner")+"/"+r.PathValue("name")))
	if err != nil {
		return page{}, notFound(err)
	}
	body := repositoryBody{
		At:     at,
		Name:   found.Split.Repository,
		GitHub: onGitHub(found.Split.Repository),
		State:  activity(found.Split),
		Tiles:  repositoryTiles(&found),
		Chart:  splitChart(found.Split),
		Split:  splitRows(found.Split),
		Rules:  rulesOf(&found.Rules),
		Labels: found.Rules.LabelMultipliers,
	}
	rows := make([]contributorRow, len(found.Contributors))
	for i, c := range found.Contributors {
		rows[i] = contributorRow{c, at.Miner(c.UID)}
	}
	body.Table, err = readTable(r, "contributors", contributorColumns(), rows, "-reward", func(row *contributorRow, text string) bool {
		return strings.Contains(strings.ToLower(fmt.Sprintf("%d %s %s", row.UID, row.Login, row.Hotkey)), text)
	})
	return page{
		Template: "repository",
		Title:    body.Name + " · " + at.Round,
		Nav:      "Rounds",
		JSON:     at.JSON("outcome"),
		Body:     body,
	}, err
}

func repositoryTiles(r *view.Repository) []tile {
	return []tile{
		{"Share of the emission", percent(r.Split.EmissionShare), ""},
		{"Slice", decimals(r.Split.RepoSlice, rewardDigits), "before shares are passed on"},
		{"Pays for scores", decimals(r.Split.PRSlice+r.Split.IssueDiscoverySlice, rewardDigits), ""},
		{"Contributors", number(len(r.Contributors)), plural.Of(r.Split.Miners, "miner") + " paid"},
	}
}

func splitRows(s view.Split) []splitRow {
	whole := s.MaintainerCarveOut + s.PRSlice + s.IssueDiscoverySlice + s.RecycledAmount
	row := func(name, among, mark string, amount float64) splitRow {
		r := splitRow{
			Name:   name,
			Amount: decimals(amount, rewardDigits),
			Among:  among,
			Mark:   mark,
		}
		if whole > 0 {
			r.Share = percent(amount / whole)
		}
		return r
	}
	return []splitRow{
		row("Maintainers", plural.Of(len(s.MaintainerRewards), "miner"), "fill-warn", s.MaintainerCarveOut),
		row("Pull requests", plural.Of(len(s.PRRewards), "miner"), "fill", s.PRSlice),
		row("Issues", plural.Of(len(s.IssueDiscoveryRewards), "miner"), "fill-good", s.IssueDiscoverySlice),
		row("Recycled", "", "fill-muted", s.RecycledAmount),
	}
}

func contributorColumns() []column[contributorRow] {
	return []column[contributorRow]{
		{"uid", "Miner", false, by(func(r *contributorRow) int { return r.UID })},
		{"login", "Login", false, by(func(r *contributorRow) string { return strings.ToLower(r.Login) })},
		{"merged", "Merged", true, by(func(r *contributorRow) int { return r.Merged })},
		{"open", "Open", true, by(func(r *contributorRow) int { return r.Open })},
		{"closed", "Closed", true, by(func(r *contributorRow) int { return r.Closed })},
		{"score", "Score", true, by(func(r *contributorRow) float64 { return r.Score })},
		{"held", "Held back", true, by(func(r *contributorRow) float64 { return r.Collateral })},
		{"issues", "Issue score", true, by(func(r *contributorRow) float64 { return r.IssueScore })},
		{"maintains", "As maintainer", true, by(func(r *contributorRow) float64 { return r.Maintains })},
		{"reward", "Reward", true, func(a, b *contributorRow) int {
			return cmp.Or(cmp.Compare(a.Reward, b.Reward), cmp.Compare(a.Score, b.Score))
		}},
		{Key: "why", Title: "Why 0"},
	}
}

// Why names the rules that make scores 0.
func (r contributorRow) Why() string {
	switch {
	case r.NoPulls != "" && r.NoIssues != "":
		return "pull requests: " + r.NoPulls + "; issues: " + r.NoIssues
	case r.NoPulls != "":
		return "pull requests: " + r.NoPulls
	case r.NoIssues != "":
		return "issues: " + r.NoIssues
	}
	return ""
}

// rulesOf are the settings of a registry's entry, with its defaults filled in.
func rulesOf(r *input.Repository) []rule {
	e, s := &r.Eligibility, &r.Scoring
	whole := number[int]
	rules := []rule{
		{"Emission", "Share for issue discovery", percent(r.IssueDiscoveryShare)},
		{"Emission", "Maintainers' cut", percent(r.MaintainerCut)},
		{"Pull requests", "Merged, at least", whole(e.MinValidMergedPRs)},
		{"Pull requests", "Credibility, at least", trimmed(e.MinCredibility)},
		{"Pull requests", "Open, at most", whole(e.ExcessivePRPenaltyBaseThreshold)},
		{"Pull requests", "One more open for a token score of", trimmed(e.OpenPRThresholdTokenScore)},
		{"Pull requests", "Open in any case, at most", whole(e.MaxOpenPRThreshold)},
		{"Issues", "Valid solved, at least", whole(e.MinValidSolvedIssues)},
		{"Issues", "Credibility, at least", trimmed(e.MinIssueCredibility)},
		{"Issues", "Token score of the solving pull request, at least", trimmed(e.MinTokenScoreForValidIssue)},
		{"Issues", "Open, at most", whole(e.OpenIssueSpamBaseThreshold)},
		{"Issues", "One more open for a token score of", trimmed(e.OpenIssueSpamTokenScorePerSlot)},
		{"Issues", "Open in any case, at most", whole(e.MaxOpenIssueThreshold)},
		{"Scores", "Looked back, days", whole(s.PRLookbackDays)},
		{"Scores", "Held back by an open pull request", percent(s.OpenPRCollateralPercent)},
		{"Scores", "Lost by each request for changes", percent(s.ReviewPenaltyRate)},
		{"Scores", "Multiplier of a linked issue", trimmed(s.StandardIssueMultiplier)},
		{"Scores", "Multiplier of a maintainer's linked issue", trimmed(s.MaintainerIssueMultiplier)},
		{"Scores", "Multiplier without a label that counts", trimmed(r.DefaultLabelMultiplier)},
		{"Scores", "Saturation of source tokens", trimmed(s.SrcTokSaturationScale)},
		{"Time decay", "Grace, hours", whole(s.TimeDecay.GracePeriodHours)},
		{"Time decay", "Half after days", trimmed(s.TimeDecay.SigmoidMidpointDays)},
		{"Time decay", "Steepness", trimmed(s.TimeDecay.SigmoidSteepness)},
		{"Time decay", "Minimum", trimmed(s.TimeDecay.MinMultiplier)},
	}
	if r.FixedBaseScore != nil {
		rules = append(rules, rule{"Scores", "Fixed base score", trimmed(*r.FixedBaseScore)})
	}
	if len(r.AdditionalBranches) > 0 {
		rules = append(rules, rule{"Pull requests", "Branches besides the default one", strings.Join(r.AdditionalBranches, ", ")})
	}
	if r.TrustedLabelPipeline {
		rules = append(rules, rule{"Scores", "Labels count from", "anybody"})
	}
	return rules
}
