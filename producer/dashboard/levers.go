package dashboard

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring/whatif"
)

// leversPath is that of the levers.
const leversPath = "/rounds/{id}/miners/{uid}/levers"

// leversBody is the page of what would raise a miner's reward.
type leversBody struct {
	At     place
	UID    int
	Levers view.Levers
	Reward string
	Tried  string
	Rows   []leverRow
}

type leverRow struct {
	Change, By, Gain, Reward, Link string
}

// levers is the page of a miner's levers. They have a page of their own, because each change
// that is tried concludes the round once.
func (d *Dashboard) levers(r *http.Request) (page, error) {
	uid, err := uidOf(r)
	if err != nil {
		return page{}, err
	}
	at, result, err := d.outcomeOf(r)
	if err != nil {
		return page{}, err
	}
	found, err := view.LeversOf(r.Context(), d.cfg.Bus, result, uid)
	if err != nil {
		return page{}, notFound(err)
	}
	body := leversBody{
		At:     at,
		UID:    uid,
		Levers: found,
		Reward: decimals(found.Reward, rewardDigits),
		Tried:  plural.Of(found.Tried, "change"),
	}
	for _, l := range found.Levers {
		by := "the repository's maintainers"
		if l.By == whatif.Owner {
			by = "the miner"
		}
		body.Rows = append(body.Rows, leverRow{
			Change: l.Change,
			By:     by,
			Gain:   signed(l.Gain, rewardDigits),
			Reward: decimals(l.Reward, rewardDigits),
			Link:   at.WhatIf(uid, strings.TrimPrefix(l.Flag, "--")),
		})
	}
	return page{
		Template: "levers",
		Title:    fmt.Sprintf("Levers of miner %d · %s", uid, at.Round),
		Nav:      "Rounds",
		JSON:     at.JSON("miners", strconv.Itoa(uid), "levers"),
		Body:     body,
	}, nil
}
