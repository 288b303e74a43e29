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
// token is found.
const maxLooked = 100

// TokensOf reads the coverage by the last rounds of the schedule, or by all rounds if none
// is of the schedule. A manifest that cannot be read is passed over.
func TokensOf(ctx context.Context, bus *jobstream.Bus) (Tokens, error) {
	var looked, byHand []job.Manifest
	known := false
	err := eachManifest(ctx, bus, func(m job.Manifest) (enough bool) {
		if m.Due.IsZero() {
			byHand = append(byHand, m)
		} else {
			looked = append(looked, m)
		}
		known = known || len(looked) > 0 && settled(looked)
		return known && len(looked) >= HistoryRounds
	})
	if err != nil {
		return Tokens{}, err
	}
	if len(looked) == 0 {
		looked = byHand
	}
	if len(looked) == 0 {
		return Tokens{}, &NotConcludedError{Latest: true}
	}
	return coverage(looked), nil
}

// FellOut lists the miners that have lost their usable token since the round of the schedule
// before: in the round that is to begin, if one is given, or in the schedule's last one.
func FellOut(ctx context.Context, bus *jobstream.Bus, begins ...job.Manifest) ([]int, error) {
	rounds := begins
	err := eachManifest(ctx, bus, func(m job.Manifest) (enough bool) {
		if !m.Due.IsZero() && (len(rounds) == 0 || rounds[0].Round != m.Round) {
			rounds = append(rounds, m)
		}
		return len(rounds) > 1
	})
	if len(rounds) == 0 {
		return nil, err
	}
	return coverage(rounds).FellOut(), err
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

// eachManifest calls look with the manifests of the last rounds, the newest first, until
// look has enough.
func eachManifest(ctx context.Context, bus *jobstream.Bus, look func(job.Manifest) (enough bool)) error {
	names, err := bus.Rounds.List(ctx)
	if err != nil {
		return fmt.Errorf("listing the rounds: %w", err)
	}
	for _, name := range slices.Backward(names[max(len(names)-maxLooked, 0):]) {
		m, err := bus.Rounds.Planned(ctx, name)
		switch {
		case errors.Is(err, jobstream.ErrNotFound) || jobstream.Damaged(err):
			continue
		case err != nil:
			return fmt.Errorf("round %s: %w", name, err)
		}
		if look(m) {
			return nil
		}
	}
	return nil
}

// settled reports whether the rounds say of every miner that lacks a token since when.
func settled(rounds []job.Manifest) bool {
	return !slices.ContainsFunc(coverage(rounds).Lacking, func(l Lacking) bool { return l.AtLeast })
}

// coverage is the coverage by some rounds, the newest first.
func coverage(rounds []job.Manifest) Tokens {
	last := rounds[0]
	t := Tokens{
		Round:     last.Round,
		PlannedAt: last.PlannedAt,
		Rounds:    len(rounds),
		Lacking:   []Lacking{},
		History:   []Covered{},
	}
	for i := range rounds[:min(len(rounds), HistoryRounds)] {
		t.History = append(t.History, covered(&rounds[i]))
	}
	for _, miner := range last.Miners {
		state, needed := tokenOf(miner)
		switch {
		case !needed:
			continue
		case state != TokenUsable:
			t.Lacking = append(t.Lacking, lackOf(miner, state, rounds))
		default:
			t.Usable++
			if miner.IdentityUnknown() {
				t.Kept++
			}
		}
		t.Miners++
	}
	slices.SortFunc(t.Lacking, func(a, b Lacking) int {
		return cmp.Or(b.Since.Compare(a.Since), cmp.Compare(a.UID, b.UID))
	})
	return t
}

func covered(m *job.Manifest) Covered {
	c := Covered{Round: m.Round, PlannedAt: m.PlannedAt}
	for _, miner := range m.Miners {
		state, needed := tokenOf(miner)
		if !needed {
			continue
		}
		c.Miners++
		if state == TokenUsable {
			c.Usable++
		}
	}
	return c
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

// lackOf follows a miner back through the rounds until it had a usable token. Another hotkey
// under the uid was another miner.
func lackOf(m input.Miner, state TokenState, rounds []job.Manifest) Lacking {
	l := Lacking{UID: m.UID, Hotkey: m.Hotkey, State: state}
	for i := range rounds {
		at := slices.IndexFunc(rounds[i].Miners, func(one input.Miner) bool { return one.UID == m.UID && one.Hotkey == m.Hotkey })
		if at < 0 {
			return l // it was not registered yet
		}
		if before, _ := tokenOf(rounds[i].Miners[at]); before == TokenUsable {
			l.FellOut = i == 1
			return l
		}
		l.Since = rounds[i].PlannedAt
		l.Rounds++
	}
	l.AtLeast = true
	return l
}
