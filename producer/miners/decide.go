package miners

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring/input"
)

// IdentityState is what GitHub has said of a token.
type IdentityState int

// The states. Unreachable is what a look-up is that was never made.
const (
	Unreachable IdentityState = iota
	Known
	Refused
)

// Identity is GitHub's word on a token.
type Identity struct {
	State    IdentityState
	GitHubID string // of a known one
	// KeptAt is when GitHub said so, if it does not answer now; zero for now.
	KeptAt time.Time
}

// LookUp is one token whose account must be known.
type LookUp struct {
	UID    int
	Hotkey string
	Token  Secret
}

// LookUps lists whose identity a round needs, by uid: those whom nothing that
// comes before it fails.
func LookUps(m Metagraph, stored []Stored) []LookUp {
	byUID := index(stored)
	var asks []LookUp
	for _, uid := range slices.Sorted(maps.Keys(m.Hotkeys)) {
		entry := byUID[uid]
		miner := input.Miner{UID: uid, Hotkey: m.Hotkeys[uid], Token: tokenOf(m.Hotkeys[uid], entry)}
		if input.FailureOf(miner) == input.NoFailure {
			asks = append(asks, LookUp{uid, miner.Hotkey, entry.Token})
		}
	}
	return asks
}

// Decide lists the round's miners by uid, each as docs/rules/scoring.md#miners
// has it. Which failure comes first is the rules' own (input.FailureOf); two
// miners with one account are theirs as well, for it takes the others' failures
// to know.
func Decide(m Metagraph, stored []Stored, identities map[int]Identity) []input.Miner {
	byUID := index(stored)
	list := make([]input.Miner, 0, len(m.Hotkeys))
	for _, uid := range slices.Sorted(maps.Keys(m.Hotkeys)) {
		entry := byUID[uid]
		miner := input.Miner{UID: uid, Hotkey: m.Hotkeys[uid], Token: tokenOf(m.Hotkeys[uid], entry)}
		if input.FailureOf(miner) == input.NoFailure {
			identify(&miner, entry, identities[uid])
		}
		list = append(list, miner)
	}
	return list
}

func index(stored []Stored) map[int]Stored {
	byUID := make(map[int]Stored, len(stored))
	for _, s := range stored {
		byUID[s.UID] = s
	}
	return byUID
}

// tokenOf is the state of a stored token for the miner that has the hotkey now. A token
// that belongs to no hotkey counts as none.
func tokenOf(hotkey string, entry Stored) input.TokenState {
	switch {
	case entry.Hotkey != "" && entry.Hotkey != hotkey:
		return input.TokenStale
	case entry.Hotkey == "" || entry.Token.Empty():
		return input.TokenNone
	}
	return input.TokenValid
}

// identify says whose account a token is. A GitHub that is not reachable leaves
// the account that is recorded with the token, whose pull requests are not
// loaded; without one the miner is failed.
func identify(miner *input.Miner, entry Stored, identity Identity) {
	switch identity.State {
	case Known:
		miner.GitHubID, miner.IdentityKeptAt = identity.GitHubID, identity.KeptAt
	case Refused:
		miner.Token = input.TokenRefused
	case Unreachable:
		miner.GitHubID, miner.IdentityUnreachable = entry.GitHubID, true
	}
}

// Count sums up for a log line how the miners of a round stand.
func Count(list []input.Miner) map[string]int {
	counts := map[string]int{}
	for _, m := range list {
		switch failure := input.FailureOf(m); {
		case failure != input.NoFailure:
			counts[string(failure)]++
		case m.IdentityUnreachable:
			counts["identity unreachable, recorded account"]++
		case m.IdentityUnknown():
			counts["identity unreachable, kept account"]++
		default:
			counts["taking part"]++
		}
	}
	return counts
}

// unanswered names for a round's notes the miners that GitHub did not answer
// for, and what stands in; none for none.
func unanswered(list []input.Miner, now time.Time) (notes []string) {
	var recorded, kept []int
	oldest := now
	for i := range list {
		switch m := &list[i]; {
		case m.IdentityUnreachable:
			recorded = append(recorded, m.UID)
		case m.IdentityUnknown():
			kept = append(kept, m.UID)
			if m.IdentityKeptAt.Before(oldest) {
				oldest = m.IdentityKeptAt
			}
		}
	}
	if len(recorded) > 0 {
		notes = append(notes, job.NoteUnidentified+named(recorded))
	}
	if len(kept) > 0 {
		notes = append(notes, fmt.Sprintf("%s%s: its answers of up to %s ago are used",
			job.NoteUnidentified, named(kept), now.Sub(oldest).Round(time.Second)))
	}
	return notes
}

// named lists miners, or counts them when they are many.
func named(uids []int) string {
	const maxNamed = 20
	if len(uids) > maxNamed {
		return plural.Of(len(uids), "miner")
	}
	return fmt.Sprintf("miners %v", uids)
}
