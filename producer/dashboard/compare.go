package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
)

// compareBody is the page of what a revision changed.
type compareBody struct {
	Round     string
	From, To  int
	Revisions []int
	Changed   int
	Table     table[change]
}

type change struct{ outcome.Change }

// Difference is what the revision changed of the reward.
func (c change) Difference() string { return signed(c.Reward.New-c.Reward.Old, 6) }

// compare compares two revisions of a round's outcome, the last two unless the address names
// others.
func (d *Dashboard) compare(r *http.Request) (page, error) {
	name, err := d.roundOf(r)
	if err != nil {
		return page{}, err
	}
	from, err := revisionIn(r.URL.Query(), "from")
	if err != nil {
		return page{}, err
	}
	to, err := revisionIn(r.URL.Query(), "to")
	if err != nil {
		return page{}, err
	}
	two, err := view.ToCompare(r.Context(), d.cfg.Bus, name, from, to)
	if err != nil {
		return page{}, notFound(err)
	}
	c, err := two.Compare(r.Context(), func(ctx context.Context, at view.OutcomeRef) (outcome.Result, error) {
		return d.outcomes.read(ctx, d.cfg.Bus, at)
	})
	if err != nil {
		return page{}, err
	}
	body := compareBody{
		Round:     name,
		From:      c.From,
		To:        c.To,
		Revisions: two.Revisions,
		Changed:   len(c.Changes),
	}
	var changes []change
	for _, one := range c.Changes {
		changes = append(changes, change{one})
	}
	body.Table, err = readTable(r, "miners that changed", changeColumns(), changes, "uid", func(c *change, text string) bool {
		return strings.Contains(strconv.Itoa(c.UID), text) || strings.Contains(c.Reason, text)
	})
	return page{
		Template: "compare",
		Title:    fmt.Sprintf("Revisions %d and %d · Round %s", c.From, c.To, name),
		Nav:      "Rounds",
		JSON:     fmt.Sprintf("/api/v1/rounds/%s/compare?from=%d&to=%d", name, c.From, c.To),
		Body:     body,
	}, err
}

func changeColumns() []column[change] {
	return []column[change]{
		{"uid", "Miner", true, by(func(c *change) int { return c.UID })},
		{"score-before", "Score before", true, by(func(c *change) float64 { return c.Score.Old })},
		{"score", "Score", true, by(func(c *change) float64 { return c.Score.New })},
		{"issues-before", "Issues before", true, by(func(c *change) float64 { return c.Issues.Old })},
		{"issues", "Issues", true, by(func(c *change) float64 { return c.Issues.New })},
		{"reward-before", "Reward before", true, by(func(c *change) float64 { return c.Reward.Old })},
		{"reward", "Reward", true, by(func(c *change) float64 { return c.Reward.New })},
		{"difference", "Difference", true, by(func(c *change) float64 { return c.Reward.New - c.Reward.Old })},
		{"reason", "Why", false, by(func(c *change) string { return c.Reason })},
	}
}
