package dashboard

import (
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"mirrorfleet/producer/view"
)

// history is what a miner got over the rounds.
type history struct {
	Rows   []historyRow // the newest first
	Sparks []spark
	JSON   string // the address of the same as JSON
}

type historyRow struct {
	view.HistoryRound

	Link string
	// Current marks the round of the page; "" for another one. The history has the last revision
	// of each round, which the page may not show.
	Current string
	// Why says why there are no figures; "" otherwise.
	Why string
	// Difference is the change from the round before; "" if there is none to compare with.
	Difference string
}

// historyOf reads a miner's history up to a round, for the page of a revision of it.
func (d *Dashboard) historyOf(r *http.Request, round string, revision, uid int, hotkey string) (history, error) {
	past, err := d.pasts.Of(r.Context(), d.cfg.Bus, round, uid, hotkey)
	if err != nil {
		return history{}, err
	}
	h := history{
		Rows: make([]historyRow, len(past.Rounds)),
		JSON: fmt.Sprintf("/api/v1/rounds/%s/miners/%d/history", round, uid),
	}
	for i := range past.Rounds {
		h.Rows[i] = historyRowOf(&past.Rounds[i])
		if last := past.Rounds[i].Revision; past.Rounds[i].Round == round {
			h.Rows[i].Current = "this one"
			if last != revision {
				h.Rows[i].Current = fmt.Sprintf("revision %d of this one", last)
			}
		}
	}
	h.draw()
	return h, nil
}

func historyRowOf(past *view.HistoryRound) historyRow {
	at := place{Round: past.Round}
	row := historyRow{HistoryRound: *past, Link: at.Miner(past.UID), Why: past.Absent}
	switch {
	case past.Other != "":
		row.Why += ": " + short(past.Other)
	case past.Absent != "":
		row.Link = at.Itself()
	}
	if past.Change != nil {
		row.Difference = signed(*past.Change, rewardDigits)
	}
	return row
}

// draw draws the figures over the rounds, the oldest first.
func (h *history) draw() {
	score := func(x float64) string { return decimals(x, scoreDigits) }
	for _, f := range []struct {
		name  string
		value func(*historyRow) float64
		text  func(float64) string
	}{
		{"Reward", func(r *historyRow) float64 { return r.Reward }, func(x float64) string { return decimals(x, rewardDigits) }},
		{"Paid score of pull requests", func(r *historyRow) float64 { return r.Pulls }, score},
		{"Paid score of issues", func(r *historyRow) float64 { return r.Issues }, score},
	} {
		var all []bar
		last, some := "", false
		for i := range slices.Backward(h.Rows) {
			row := &h.Rows[i]
			if row.Absent != "" {
				all = append(all, bar{0, "fill-muted", row.Round + ": " + row.Why})
				continue
			}
			x := f.value(row)
			some = some || x > 0
			last = f.text(x)
			all = append(all, bar{x, "fill", row.Round + ": " + last})
		}
		if len(all) < 2 || !some {
			continue
		}
		h.Sparks = append(h.Sparks, spark{f.name, last, historyBars(f.name, last, all)})
	}
}

func historyBars(name, last string, all []bar) template.HTML {
	return bars(fmt.Sprintf("%s over the last %d rounds; the last one: %s", strings.ToLower(name), len(all), last), all)
}
