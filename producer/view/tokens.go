package view

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/scoring/input"
)

// Tokens is the fleet's coverage: which miners have a usable access token by the last round
// that was planned, and since when the others have none. It is taken from the manifests,
// which hold the state of each token and never anything of a token itself.
type Tokens struct {
	Round     string    `json:"round"`
	PlannedAt time.Time `json:"planned_at"`
	// Miners counts those that need a token: neither the recycle uid nor the treasury, nor
	// a uid without a hotkey. Usable counts those that have one; Kept counts those of them
	// whose account is known by an earlier answer, because GitHub did not answer.
	Miners int `json:"miners"`
	Usable int `json:"usable"`
	Kept   int `json:"kept"`
	// Rounds is how many manifests were looked at.
	Rounds int `json:"rounds"`
	// Lacking are the others: those that fell out last come first.
	Lacking []Lacking `json:"lacking"`
	// History is the coverage of the last rounds, the last one first.
	History []Covered `json:"history"`
}

// Covered is the coverage of one round.
type Covered struct {
	Round     string    `json:"round"`
	PlannedAt time.Time `json:"planned_at"`
	Miners    int       `json:"miners"`
	Usable    int       `json:"usable"`
}

// Lacking is a miner without a usable token.
type Lacking struct {
	UID    int        `json:"uid"`
	Hotkey string     `json:"hotkey"`
	State  TokenState `json:"state"`
	// Rounds counts the last rounds in a row in which the miner had no usable token, and
	// Since is when the first of them was planned. AtLeast says that there may be more:
	// earlier rounds are not kept, or were not looked at.
	Since   time.Time `json:"since"`
	Rounds  int       `json:"rounds"`
	AtLeast bool      `json:"at_least"`
	// FellOut says that the miner had a usable token in the round before the last one.
	FellOut bool `json:"fell_out"`
}

// TokenState is why a miner has no usable token.
type TokenState string

// The states. An unreachable one may be good: GitHub did not name its account, neither now nor
// within a day before.
const (
	TokenUsable      TokenState = ""
	TokenNone        TokenState = "none"
	TokenStale       TokenState = "stale"
	TokenRefused     TokenState = "refused"
	TokenUnreachable TokenState = "unreachable"
)

// TokenStates are those of miners that lack a usable token.
func TokenStates() []TokenState {
	return []TokenState{TokenNone, TokenStale, TokenRefused, TokenUnreachable}
}

// Meaning says what a state means.
func (s TokenState) Meaning() string {
	return map[TokenState]string{ //nolint:gosec // words about tokens
		TokenNone:        "no token is stored for the uid",
		TokenStale:       "the stored token is of another hotkey, which had the uid before",
		TokenRefused:     "GitHub does not accept the token",
		TokenUnreachable: "GitHub has not named the token's account within a day",
	}[s]
}

// Remedy says what helps against a state.
func (s TokenState) Remedy() string {
	return map[TokenState]string{
		TokenNone:        "the miner sends the validator a token; the next round takes it",
		TokenStale:       "the miner that has the uid now sends the validator a token of its own",
		TokenRefused:     "it has expired, was revoked or lacks a right: the miner makes a new one and sends it to the validator",
		TokenUnreachable: "the next round asks GitHub again; if it stays, see whether the producer reaches GitHub (producer doctor)",
	}[s]
}

// HistoryRounds is how many rounds the history of the tokens and that of a miner have: two
// days, with a round every two hours.
const HistoryRounds = 24

// maxLooked bounds how many manifests are read: at a round every two hours they are eight
// days. Most often no more are read than the history has, because every miner's last usable
// token is found. One miner that never had a token has all of them looked at.
const maxLooked = 100

// Coverages reads the coverage, and keeps what it has read of the last manifests: some 20 kB of
// each with 256 miners. Each time it asks whether a manifest has changed, which is one small
// request where reading it is several large ones. The zero Coverages keeps nothing.
type Coverages struct{ rounds *marked[tokenRound] }

// NewCoverages returns one that keeps what it reads.
func NewCoverages() *Coverages {
	return &Coverages{rounds: &marked[tokenRound]{limit: maxLooked}}
}

// TokensOf reads the coverage by the last rounds of the schedule, or by all rounds if none
// is of the schedule. A manifest that cannot be read is passed over.
func TokensOf(ctx context.Context, bus *jobstream.Bus) (Tokens, error) {
	return (&Coverages{}).Of(ctx, bus)
}

// Of is TokensOf.
func (c *Coverages) Of(ctx context.Context, bus *jobstream.Bus) (Tokens, error) {
	var scheduled, byHand covering
	err := c.eachRound(ctx, bus, func(r tokenRound) (enough bool) {
		if !r.scheduled {
			byHand.look(&r)
			return false
		}
		scheduled.look(&r)
		return len(scheduled.open) == 0 && scheduled.Rounds >= HistoryRounds
	})
	switch {
	case err != nil:
		return Tokens{}, err
	case scheduled.Rounds > 0:
		return scheduled.tokens(), nil
	case byHand.Rounds > 0:
		return byHand.tokens(), nil
	}
	return Tokens{}, &NotConcludedError{Latest: true}
}

// FellOut lists the miners that have lost their usable token since the round of the schedule
// before: in the round that is to begin, if one is given, or in the schedule's last one.
func FellOut(ctx context.Context, bus *jobstream.Bus, begins ...job.Manifest) ([]int, error) {
	var two covering
	for i := range begins {
		first := tokenRoundOf(&begins[i])
		two.look(&first)
	}
	err := (&Coverages{}).eachRound(ctx, bus, func(r tokenRound) (enough bool) {
		if r.scheduled && two.Round != r.Round {
			two.look(&r)
		}
		return two.Rounds > 1
	})
	if two.Rounds == 0 {
		return nil, err
	}
	return two.tokens().FellOut(), err
}

// FellOut lists the miners that had a usable token in the round before and have none now.
func (t Tokens) FellOut() (uids []int) {
	for _, lacking := range t.Lacking {
		if lacking.FellOut {
			uids = append(uids, lacking.UID)
		}
	}
	slices.Sort(uids)
	return uids
}

// tokenRound is what a manifest says of the tokens.
type tokenRound struct {
	Covered

	scheduled bool // it is of the schedule
	kept      int  // as Tokens.Kept
	miners    []tokenMiner
}

// tokenMiner is a miner that needs a token.
type tokenMiner struct {
	uid    int
	hotkey string
	state  TokenState
}

func tokenRoundOf(m *job.Manifest) tokenRound {
	r := tokenRound{Covered: Covered{Round: m.Round, PlannedAt: m.PlannedAt}, scheduled: !m.Due.IsZero()}
	for _, miner := range m.Miners {
		state, needed := tokenOf(miner)
		if !needed {
			continue
		}
		r.miners = append(r.miners, tokenMiner{miner.UID, miner.Hotkey, state})
		r.Miners++
		if state != TokenUsable {
			continue
		}
		r.Usable++
		if miner.IdentityUnknown() {
			r.kept++
		}
	}
	return r
}

// eachRound calls look with the last rounds, the newest first, until look has enough.
func (c *Coverages) eachRound(ctx context.Context, bus *jobstream.Bus, look func(tokenRound) (enough bool)) error {
	names, err := bus.Rounds.List(ctx)
	if err != nil {
		return fmt.Errorf("listing the rounds: %w", err)
	}
	for _, name := range slices.Backward(names[max(len(names)-maxLooked, 0):]) {
		r, err := c.rounds.read(name,
			func() (kv.Mark, error) { return bus.Rounds.Mark(ctx, name) },
			func() (tokenRound, error) {
				m, err := bus.Rounds.Planned(ctx, name)
				return tokenRoundOf(&m), err
			})
		switch {
		case errors.Is(err, jobstream.ErrNotFound) || jobstream.Damaged(err):
			continue
		case err != nil:
			return fmt.Errorf("round %s: %w", name, err)
		}
		if look(r) {
			return nil
		}
	}
	return nil
}

// covering is the coverage as it is found, round by round, the newest first. It follows each
// miner that lacks a token back until it had a usable one.
type covering struct {
	Tokens

	open []Lacking // of whom it is not known yet since when
}

// look takes the round before those that it has.
func (c *covering) look(r *tokenRound) {
	if c.Rounds == 0 {
		c.Tokens = Tokens{
			Round:     r.Round,
			PlannedAt: r.PlannedAt,
			Miners:    r.Miners,
			Usable:    r.Usable,
			Kept:      r.kept,
			Lacking:   []Lacking{},
		}
		for _, m := range r.miners {
			if m.state != TokenUsable {
				c.open = append(c.open, Lacking{UID: m.uid, Hotkey: m.hotkey, State: m.state})
			}
		}
	}
	still := c.open[:0]
	for _, l := range c.open {
		// Another hotkey under the uid was another miner: then it was not registered yet.
		at := slices.IndexFunc(r.miners, func(m tokenMiner) bool { return m.uid == l.UID && m.hotkey == l.Hotkey })
		if at < 0 || r.miners[at].state == TokenUsable {
			l.FellOut = at >= 0 && c.Rounds == 1
			c.Lacking = append(c.Lacking, l)
			continue
		}
		l.Since = r.PlannedAt
		l.Rounds++
		still = append(still, l)
	}
	c.open = still
	if len(c.History) < HistoryRounds {
		c.History = append(c.History, r.Covered)
	}
	c.Rounds++
}

// tokens is the coverage by the rounds that were looked at.
func (c *covering) tokens() Tokens {
	for _, l := range c.open {
		l.AtLeast = true
		c.Lacking = append(c.Lacking, l)
	}
	c.open = nil
	slices.SortFunc(c.Lacking, func(a, b Lacking) int {
		return cmp.Or(b.Since.Compare(a.Since), cmp.Compare(a.UID, b.UID))
	})
	return c.Tokens
}

// tokenOf is how a miner's token stands; needed is false for a uid that needs none.
func tokenOf(m input.Miner) (state TokenState, needed bool) {
	if m.UID == input.RecycleUID || m.UID == input.TreasuryUID || m.Hotkey == "" {
		return TokenUsable, false
	}
	switch input.FailureOf(m) {
	case input.HotkeyChanged:
		return TokenStale, true
	case input.NoStoredToken:
		return TokenNone, true
	case input.TokenNotAccepted:
		return TokenRefused, true
	case input.IdentityUnreachable:
		return TokenUnreachable, true
	default:
	}
	if m.IdentityUnreachable { // the account recorded with the token stands in
		return TokenUnreachable, true
	}
	return TokenUsable, true
}
