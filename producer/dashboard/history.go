package dashboard

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
)

// pasts keeps what the last outcomes gave: they never change, and every miner's page asks
// for the same ones. Of 256 miners one takes some 40 kB.
type pasts struct {
	mu   sync.Mutex
	kept map[view.OutcomeRef]view.Past
}

// historyRounds is how many rounds a history has: two days of a round every two hours. As
// many again are kept, for who looks at an earlier one.
const historyRounds, pastsKept = 24, 48

func newPasts() *pasts { return &pasts{kept: map[view.OutcomeRef]view.Past{}} }

func (p *pasts) get(at view.OutcomeRef) (view.Past, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	past, kept := p.kept[at]
	return past, kept
}

// keep keeps one, and drops the oldest.
func (p *pasts) keep(past view.Past) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept[past.OutcomeRef] = past
	if len(p.kept) <= pastsKept {
		return
	}
	oldest := past.OutcomeRef
	for at := range p.kept {
		if at.Round < oldest.Round {
			oldest = at
		}
	}
	delete(p.kept, oldest)
}

// read returns what outcomes gave, in their order. One that cannot be read has no miners.
func (p *pasts) read(ctx context.Context, bus *jobstream.Bus, all []view.OutcomeRef) ([]view.Past, error) {
	list := make([]view.Past, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for i, at := range all {
		past, kept := p.get(at)
		if kept {
			list[i] = past
			continue
		}
		group.Go(func() error {
			past, err := view.PastOf(ctx, bus, at)
			if jobstream.Damaged(err) || errors.Is(err, jobstream.ErrNotFound) { // removed since it was listed
				list[i].OutcomeRef = at // the others are shown
				return nil
			}
			if err != nil {
				return err
			}
			p.keep(past)
			list[i] = past
			return nil
		})
	}
	return list, group.Wait()
}

// history is what a miner got over the rounds.
type history struct {
	Rows   []historyRow // the newest first
	Sparks []spark
}

type historyRow struct {
	view.PastMiner

	Round, Link string
	Current     bool
	UID         int
	// Absent says why there are no figures; "" otherwise.
	Absent string
	// Change is the difference from the round before; "" for none to compare with.
	Change string
}

// historyOf reads a miner's history up to a round. A miner is its hotkey: another one under
// the uid is another miner, and the same one under another uid is the same miner.
func (d *Dashboard) historyOf(r *http.Request, round string, uid int, hotkey string) (history, error) {
	all, err := view.LastOutcomes(r.Context(), d.cfg.Bus, round, historyRounds)
	if err != nil {
		return history{}, err
	}
	list, err := d.pasts.read(r.Context(), d.cfg.Bus, all)
	if err != nil {
		return history{}, fmt.Errorf("reading the last rounds: %w", err)
	}
	h := history{Rows: make([]historyRow, len(list))}
	for i := range list {
		h.Rows[i] = historyRowOf(&list[i], uid, hotkey)
		h.Rows[i].Current = list[i].Round == round
	}
	for i := range h.Rows[:max(0, len(h.Rows)-1)] {
		if now, before := &h.Rows[i], &h.Rows[i+1]; now.Absent == "" && before.Absent == "" {
			now.Change = signed(now.Reward-before.Reward, rewardDigits)
		}
	}
	h.draw()
	return h, nil
}

func historyRowOf(past *view.Past, uid int, hotkey string) historyRow {
	row := historyRow{Round: past.Round, UID: uid, Link: place{Round: past.Round}.Miner(uid)}
	found, there := past.Miners[hotkey]
	other := past.Hotkeys[uid]
	switch {
	case past.Miners == nil:
		row.Absent = "the outcome cannot be read"
	case hotkey == "":
		row.Absent = "it has no hotkey by which it could be known"
	case there:
		row.PastMiner = found
		row.UID = found.UID
		row.Link = place{Round: past.Round}.Miner(found.UID)
	case other != "":
		row.Absent = "another miner had the uid: " + short(other)
	default:
		row.Absent = "it was not in the round"
		row.Link = place{Round: past.Round}.Itself()
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
				all = append(all, bar{0, "fill-muted", row.Round + ": " + row.Absent})
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
