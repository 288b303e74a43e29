package dashboard

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"mirrorfleet/producer/view"
)

// tokensBody is the page of the miners' access tokens.
type tokensBody struct {
	None   bool // there is no round yet
	Tokens view.Tokens
	Tiles  []tile
	Chart  template.HTML
	States []tokenState
	Table  table[view.Lacking]
}

// tokenState is a reason for which tokens are not usable, with how many miners it concerns.
type tokenState struct {
	State           view.TokenState
	Miners          int
	Meaning, Remedy string
}

func (d *Dashboard) tokens(r *http.Request) (page, error) {
	p := page{
		Template: "tokens",
		Title:    "Tokens",
		Nav:      "Tokens",
		JSON:     "/api/v1/tokens",
		Body:     tokensBody{None: true},
	}
	all, err := d.coverages.Of(r.Context(), d.cfg.Bus)
	if errors.Is(err, view.ErrNotConcluded) {
		return p, nil
	} else if err != nil {
		return page{}, err
	}
	body := tokensBody{
		Tokens: all,
		Tiles:  tokenTiles(&all),
		Chart:  coverageChart(all.History),
		States: tokenStates(all.Lacking),
	}
	matches := func(l *view.Lacking, text string) bool {
		return strings.Contains(strings.ToLower(strings.Join([]string{strconv.Itoa(l.UID), l.Hotkey, string(l.State)}, "\n")), text)
	}
	body.Table, err = readTable(r, "miners without a usable token", lackingColumns(), all.Lacking, "since", matches)
	p.Title = fmt.Sprintf("%d/%d · Tokens", all.Usable, all.Miners)
	p.Body = body
	return p, err
}

func tokenTiles(all *view.Tokens) []tile {
	share := 0.0
	if all.Miners > 0 {
		share = float64(all.Usable) / float64(all.Miners)
	}
	return []tile{
		{"Usable", fmt.Sprintf("%d of %d", all.Usable, all.Miners), percent(share) + " of the miners"},
		{"Without one", number(all.Miners - all.Usable), "the table says why, and since when"},
		{"Fell out", number(len(all.FellOut())), "had one in the round before"},
		{"Kept", number(all.Kept), "by an earlier answer of GitHub, which did not answer this time"},
	}
}

// coverageChart draws how many miners had a usable token, round by round.
func coverageChart(history []view.Covered) template.HTML {
	const (
		step   = 10
		gap    = 2
		height = 100
	)
	if len(history) < 2 {
		return ""
	}
	most := 0
	for _, c := range history {
		most = max(most, c.Miners)
	}
	label := fmt.Sprintf("Miners with a usable token in the last %d rounds; in the last one %d of %d",
		len(history), history[0].Usable, history[0].Miners)
	d := draw("use", label, float64(len(history))*step-gap, height)
	for i := range history {
		c := &history[len(history)-1-i]
		if most == 0 {
			break
		}
		x, whole := float64(i)*step, float64(c.Miners)/float64(most)*height
		usable := float64(c.Usable) / float64(most) * height
		title := fmt.Sprintf("%s: %d of %d", c.Round, c.Usable, c.Miners)
		d.rect("rest", x, height-whole, step-gap, whole-usable, title)
		d.rect("fill-accent", x, height-usable, step-gap, usable, title)
	}
	return d.html()
}

// tokenStates counts the miners of each state.
func tokenStates(lacking []view.Lacking) (list []tokenState) {
	for _, state := range view.TokenStates() {
		one := tokenState{State: state, Meaning: state.Meaning(), Remedy: state.Remedy()}
		for i := range lacking {
			if lacking[i].State == state {
				one.Miners++
			}
		}
		if one.Miners > 0 {
			list = append(list, one)
		}
	}
	return list
}

func lackingColumns() []column[view.Lacking] {
	return []column[view.Lacking]{
		{"uid", "Miner", false, by(func(l *view.Lacking) int { return l.UID })},
		{"state", "Token", false, by(func(l *view.Lacking) view.TokenState { return l.State })},
		{"since", "Since", false, func(a, b *view.Lacking) int { return b.Since.Compare(a.Since) }},
		{"rounds", "Rounds", true, by(func(l *view.Lacking) int { return l.Rounds })},
		{"hotkey", "Hotkey", false, by(func(l *view.Lacking) string { return l.Hotkey })},
	}
}
