package view

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring/input"
)

// coverage is the coverage by some rounds, the newest first.
func coverage(rounds []job.Manifest) Tokens {
	var c covering
	for i := range rounds {
		r := tokenRoundOf(&rounds[i])
		c.look(&r)
	}
	return c.tokens()
}

// Each state of a token, and the histories that lead to it. The last character of a history
// is the last round: u usable, k usable by a kept answer, n none, s stale, r refused, x
// unreachable with a recorded account, X without one, - not registered, o usable for another
// hotkey.
func TestCoverage(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for history, want := range map[string]*Lacking{
		"uuuu": nil,
		"nnnu": nil,
		"uuuk": nil,
		"nnnn": {State: TokenNone, Rounds: 4, AtLeast: true},
		"---n": {State: TokenNone, Rounds: 1},
		"-nnn": {State: TokenNone, Rounds: 3},
		"uuur": {State: TokenRefused, Rounds: 1, FellOut: true},
		"uuus": {State: TokenStale, Rounds: 1, FellOut: true},
		"uukx": {State: TokenUnreachable, Rounds: 1, FellOut: true},
		"uuuX": {State: TokenUnreachable, Rounds: 1, FellOut: true},
		"uurr": {State: TokenRefused, Rounds: 2},
		"unrx": {State: TokenUnreachable, Rounds: 3}, // why has changed, that it lacks one has not
		"urur": {State: TokenRefused, Rounds: 1, FellOut: true},
		"ooon": {State: TokenNone, Rounds: 1}, // a new miner under the uid: nobody fell out
	} {
		var rounds []job.Manifest
		for i := range history {
			rounds = append(rounds, job.Manifest{Round: string(rune('a' + i)), PlannedAt: start.Add(time.Duration(i) * time.Hour), Miners: []input.Miner{
				{UID: input.RecycleUID, Hotkey: "h0"}, {UID: input.TreasuryUID, Hotkey: "h111", Token: input.TokenNone}, {UID: 9},
			}})
			if m, registered := minerIn(history[i]); registered {
				rounds[i].Miners = append(rounds[i].Miners, m)
			}
		}
		newest := []job.Manifest{rounds[3], rounds[2], rounds[1], rounds[0]}
		got := coverage(newest)
		expected := Tokens{Round: "d", PlannedAt: start.Add(3 * time.Hour), Miners: 1, Rounds: 4, Lacking: []Lacking{}}
		for i := range newest {
			c := Covered{Round: newest[i].Round, PlannedAt: newest[i].PlannedAt}
			if state := history[3-i]; state != '-' {
				c.Miners = 1
				c.Usable = strings.Count("uko", string(state))
			}
			expected.History = append(expected.History, c)
		}
		if want == nil {
			expected.Usable = 1
			if history[3] == 'k' {
				expected.Kept = 1
			}
		} else {
			lacking := *want
			lacking.UID, lacking.Hotkey = 5, "h5"
			lacking.Since = start.Add(time.Duration(4-lacking.Rounds) * time.Hour)
			expected.Lacking = append(expected.Lacking, lacking)
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", history, diff)
		}
		if fell := want != nil && want.FellOut; fell != (len(got.FellOut()) == 1) || fell != (len(coverage(newest[:2]).FellOut()) == 1) {
			t.Errorf("%s: fell out %v, want %v, by the last two rounds as by all", history, got.FellOut(), fell)
		}
	}
}

// minerIn is miner 5 as a character of a history has it.
func minerIn(c byte) (m input.Miner, registered bool) {
	m = input.Miner{UID: 5, Hotkey: "h5", GitHubID: "1005"}
	switch c {
	case '-':
		return m, false
	case 'o':
		m.Hotkey = "former"
	case 'k':
		m.IdentityKeptAt = time.Unix(1, 0)
	case 'n':
		m.Token, m.GitHubID = input.TokenNone, ""
	case 's':
		m.Token = input.TokenStale
	case 'r':
		m.Token = input.TokenRefused
	case 'x':
		m.IdentityUnreachable = true
	case 'X':
		m.IdentityUnreachable, m.GitHubID = true, ""
	}
	return m, true
}
