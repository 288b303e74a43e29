package dashboard

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
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
	last, err := view.Locate(r.Context(), d.cfg.Bus, name, 0)
	if err != nil {
		return page{}, err
	}
	revisions, err := d.cfg.Bus.Outcomes.Revisions(r.Context(), name)
	if err != nil {
		return page{}, fmt.Errorf("listing the outcomes of round %s: %w", name, err)
	}
	if len(revisions) < 2 {
		return page{}, &web.ProblemError{
			Status: http.StatusNotFound,
			Title:  "There is nothing to compare",
			Detail: fmt.Sprintf("Round %s has one revision of its outcome.", name),
			Todo:   "A replay makes another one.",
		}
	}
	to, err := revisionIn(r.URL.Query(), "to", last.Revision)
	if err != nil {
		return page{}, err
	}
	former := revisions[max(0, slices.Index(revisions, to)-1)]
	from, err := revisionIn(r.URL.Query(), "from", former)
	if err != nil {
		return page{}, err
	}
	body := compareBody{
		Round:     name,
		From:      from,
		To:        to,
		Revisions: revisions,
	}
	var read [2]outcome.Result
	for i, revision := range []int{from, to} {
		at, err := view.Locate(r.Context(), d.cfg.Bus, name, revision)
		if err == nil {
			read[i], err = d.outcomes.read(r.Context(), d.cfg.Bus, at)
		}
		if err != nil {
			return page{}, err
		}
	}
	var changes []change
	for _, c := range outcome.Compare(read[0], read[1]).Changes {
		changes = append(changes, change{c})
	}
	body.Changed = len(changes)
	body.Table, err = readTable(r, "miners that changed", changeColumns(), changes, "uid", func(c *change, text string) bool {
		return strings.Contains(strconv.Itoa(c.UID), text) || strings.Contains(c.Reason, text)
	})
	return page{
		Template: "compare",
		Title:    fmt.Sprintf("Revisions %d and %d · Round %s", from, to, name),
		Nav:      "Rounds",
		JSON:     fmt.Sprintf("/api/v1/rounds/%s/outcome?revision=%d", name, to),
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
