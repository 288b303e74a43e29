package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring/input"
)

// Pasts keeps the results of the last outcomes. They never change, and the history of every
// miner needs the same ones. A round of 256 miners takes about 40 kB.
type Pasts struct {
	mu   sync.Mutex
	kept map[OutcomeRef]Past
}

// pastsKept is how many are kept: as many as a history has, and as many again for viewers of
// earlier rounds.
const pastsKept = 2 * HistoryRounds

// NewPasts returns an empty one.
func NewPasts() *Pasts { return &Pasts{kept: map[OutcomeRef]Past{}} }

func (p *Pasts) get(at OutcomeRef) (Past, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	past, kept := p.kept[at]
	return past, kept
}

// keep keeps one, and drops the oldest.
func (p *Pasts) keep(past Past) {
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

// read returns the results of outcomes, in their order. An outcome that cannot be read has no
// miners.
func (p *Pasts) read(ctx context.Context, bus *jobstream.Bus, all []OutcomeRef) ([]Past, error) {
	list := make([]Past, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for i, at := range all {
		past, kept := p.get(at)
		if kept {
			list[i] = past
			continue
		}
		group.Go(func() error {
			past, err := PastOf(ctx, bus, at)
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

// History is what one miner got in the last rounds. A miner is its hotkey: another one under
// the uid is another miner, and the same one under another uid is the same miner.
type History struct {
	// Round is the last one that the history reaches to, UID and Hotkey are the miner's there.
	Round  string `json:"round"`
	UID    int    `json:"uid"`
	Hotkey string `json:"hotkey"`
	// Rounds are the concluded ones, the newest first.
	Rounds []HistoryRound `json:"rounds"`
}

// HistoryRound is what the miner got in one round, by the last revision of its outcome.
type HistoryRound struct {
	Round    string `json:"round"`
	Revision int    `json:"revision"`
	// AsOf and Complete are the outcome's; AsOf is absent where it cannot be read.
	AsOf     *time.Time `json:"as_of,omitempty"`
	Complete bool       `json:"complete"`
	// Absent says why there are no figures; absent where there are some. Other is the hotkey
	// that had the uid then, where another miner had it.
	Absent string `json:"absent,omitempty"`
	Other  string `json:"other_hotkey,omitempty"`
	// UID is what the miner had then; where it was not in the round, the one of today.
	UID int `json:"uid"`
	// Reward is what it got, and the scores are the sums of those that repositories pay for.
	// Change is the difference from the round before; absent where there is none to compare
	// with.
	Reward float64  `json:"reward"`
	Pulls  float64  `json:"pull_score"`
	Issues float64  `json:"issue_score"`
	Change *float64 `json:"change,omitempty"`
}

// HotkeyOf is the hotkey of a miner in a round, which may still run.
func HotkeyOf(ctx context.Context, bus *jobstream.Bus, name string, uid int) (string, error) {
	m, err := bus.Rounds.Planned(ctx, name)
	switch {
	case errors.Is(err, jobstream.ErrNotFound):
		return "", without(ctx, bus, name)
	case err != nil:
		return "", fmt.Errorf("round %s: %w", name, err)
	}
	at := slices.IndexFunc(m.Miners, func(miner input.Miner) bool { return miner.UID == uid })
	if at < 0 {
		return "", noMiner(name, uid, m.Miners, func(miner input.Miner) int { return miner.UID })
	}
	return m.Miners[at].Hotkey, nil
}

// Of reads the history of the miner with this hotkey and uid, up to a round.
func (p *Pasts) Of(ctx context.Context, bus *jobstream.Bus, name string, uid int, hotkey string) (History, error) {
	all, err := LastOutcomes(ctx, bus, name, HistoryRounds)
	if err != nil {
		return History{}, err
	}
	list, err := p.read(ctx, bus, all)
	if err != nil {
		return History{}, fmt.Errorf("reading the last rounds: %w", err)
	}
	h := History{
		Round:  name,
		UID:    uid,
		Hotkey: hotkey,
		Rounds: make([]HistoryRound, len(list)),
	}
	for i := range list {
		h.Rounds[i] = historyRound(&list[i], uid, hotkey)
	}
	for i := range h.Rounds[:max(0, len(h.Rounds)-1)] {
		if now, before := &h.Rounds[i], &h.Rounds[i+1]; now.Absent == "" && before.Absent == "" {
			change := now.Reward - before.Reward
			now.Change = &change
		}
	}
	return h, nil
}

func historyRound(past *Past, uid int, hotkey string) HistoryRound {
	row := HistoryRound{
		Round:    past.Round,
		Revision: past.Revision,
		Complete: past.Complete,
		UID:      uid,
	}
	if past.Miners == nil {
		row.Absent = "the outcome cannot be read"
		return row
	}
	row.AsOf = &past.AsOf
	found, there := past.Miners[hotkey]
	other := past.Hotkeys[uid]
	switch {
	case hotkey == "":
		row.Absent = "it has no hotkey by which it could be known"
	case there:
		row.UID, row.Reward = found.UID, found.Reward
		row.Pulls, row.Issues = found.Pulls, found.Issues
	case other != "":
		row.Absent, row.Other = "another miner had the uid", other
	default:
		row.Absent = "it was not in the round"
	}
	return row
}
