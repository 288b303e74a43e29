package dashboard

import (
	"cmp"
	"net/http"
	"strings"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/scoring"
)

// itemRow is a pull request or an issue in a miner's table.
type itemRow struct {
	view.Item

	Name, Title string
	Link        string // its page; "" for an issue, which has none
	GitHub      string
	WhatIf      string
	State       badge
	// Why says why nothing of it scores; "" otherwise.
	Why string
	// The factors, in the order of the columns; nil for what does not apply.
	Base, Linked, Label, Decay, Review, Open *float64
}

// itemsOf are the rows of a miner's table.
func itemsOf(at place, a *view.Miner) []itemRow {
	items := view.ItemsOf(a)
	rows := make([]itemRow, len(items))
	for i, item := range items {
		row := itemRow{Item: item, Name: itemName(item.Repository, item.Number), WhatIf: at.WhatIfAbout(a.UID, item.Repository, item.Number)}
		if item.Pull != nil {
			row.pull(at, item.Pull)
		} else {
			row.issue(item)
		}
		rows[i] = row
	}
	return rows
}

func (row *itemRow) pull(at place, pull *scoring.PullRequestOutcome) {
	row.Title = pull.Title
	row.Link = at.Pull(pull.Repository, pull.Number)
	row.GitHub = pullOnGitHub(pull.Repository, pull.Number)
	row.State = stateOf(pull.State)
	if !pull.Scored {
		row.Why = "not scored: " + codeText(pull.Reasons.Base.Code)
		return
	}
	row.Base = &pull.BaseScore
	row.Linked = &pull.IssueMultiplier
	row.Label = &pull.LabelMultiplier
	if pull.State == scoring.Merged {
		row.Decay = &pull.TimeDecayMultiplier
		row.Review = &pull.ReviewQualityMultiplier
		row.Open = &pull.OpenPRSpamMultiplier
	}
}

func (row *itemRow) issue(item view.Item) {
	row.GitHub = issueOnGitHub(item.Repository, item.Number)
	row.State = badge{"issue", ""}
	if item.Issue != nil {
		row.State.Text = "issue " + string(item.Issue.Classification)
	}
	s := item.Scored
	if s == nil {
		row.Why = because(item.Issue.Reason)
		return
	}
	row.State.Kind = "good"
	row.Base = &s.BaseScore
	row.Label = &s.LabelMultiplier
	row.Decay = &s.TimeDecayMultiplier
	row.Review = &s.ReviewQualityMultiplier
	row.Open = &s.OpenSpamMultiplier
}

// stateOf is the state of a pull request.
func stateOf(s scoring.State) badge {
	switch s {
	case scoring.Merged:
		return badge{"merged", "good"}
	case scoring.Open:
		return badge{"open", ""}
	case scoring.Closed:
		return badge{"closed", "bad"}
	}
	return badge{shorten(strings.ToLower(string(s)), 20), "warn"}
}

// readItems sorts and filters them as the address asks.
func readItems(r *http.Request, rows []itemRow) (table[itemRow], error) {
	factor := func(of func(*itemRow) *float64) func(a, b *itemRow) int {
		return func(a, b *itemRow) int { return orNone(of(a), of(b)) }
	}
	columns := []column[itemRow]{
		{"item", "Pull request or issue", false, func(a, b *itemRow) int {
			return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Number, b.Number))
		}},
		{"title", "Title", false, by(func(r *itemRow) string { return strings.ToLower(r.Title) })},
		{"state", "State", false, by(func(r *itemRow) string { return r.State.Text })},
		{"base", "Base", true, factor(func(r *itemRow) *float64 { return r.Base })},
		{"issue", "Issue", true, factor(func(r *itemRow) *float64 { return r.Linked })},
		{"label", "Label", true, factor(func(r *itemRow) *float64 { return r.Label })},
		{"open", "Open", true, factor(func(r *itemRow) *float64 { return r.Open })},
		{"decay", "Decay", true, factor(func(r *itemRow) *float64 { return r.Decay })},
		{"review", "Review", true, factor(func(r *itemRow) *float64 { return r.Review })},
		{"score", "Gives", true, by(func(r *itemRow) float64 { return r.Score })},
		{"reward", "Reward", true, func(a, b *itemRow) int { return cmp.Or(orNone(a.Reward, b.Reward), cmp.Compare(a.Score, b.Score)) }},
		{Key: "what-if", Title: "If"},
	}
	return readTable(r, "pull requests and issues", columns, rows, "-reward", func(row *itemRow, text string) bool {
		return strings.Contains(strings.ToLower(row.Name+" "+row.Title+" "+row.State.Text+" "+row.Why), text)
	})
}

// orNone orders figures; one that is not there counts as 0.
func orNone(a, b *float64) int {
	value := func(x *float64) float64 {
		if x == nil {
			return 0
		}
		return *x
	}
	return cmp.Compare(value(a), value(b))
}

// droppedRow is a pull request that a rule has dropped.
type droppedRow struct {
	Name, Link, GitHub, WhatIf string
	State                      badge
	Rule                       string
	Gates                      []view.Requirement
}

func droppedOf(at place, m *scoring.MinerOutcome) []droppedRow {
	rows := make([]droppedRow, len(m.Dropped))
	for i := range m.Dropped {
		d := &m.Dropped[i]
		rows[i] = droppedRow{
			Name:   itemName(d.Repository, d.Number),
			Link:   at.Pull(d.Repository, d.Number),
			GitHub: pullOnGitHub(d.Repository, d.Number),
			WhatIf: at.WhatIfAbout(m.UID, d.Repository, d.Number),
			State:  stateOf(d.State),
			Rule:   codeText(d.Reason.Code),
			Gates:  view.DropGates(d),
		}
	}
	return rows
}
