package mirrorsim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mirrorfleet/shared/scoring/input"
)

// Case is a recorded world with the rounds that are run over it, one after the other.
// ReadCase reads one from a file.
type Case struct {
	Registry json.RawMessage `json:"registry"`
	Miners   []input.Miner   `json:"miners"`
	Mirror   Answers         `json:"mirror"`
	Rounds   []CaseRound     `json:"rounds"`
	// Expected is the validator's result of each round, for tests. A simulated mirror
	// does not use it.
	Expected []json.RawMessage `json:"expected"`

	name string
}

// Answers is what a mirror answers: lists by GitHub id, files by
// owner/repo#number (an absent one is a 404), maintainers by repository.
type Answers struct {
	Pulls       map[string][]json.RawMessage `json:"pulls"`
	Issues      map[string][]json.RawMessage `json:"issues"`
	OpenIssues  map[string][]json.RawMessage `json:"open_issues"`
	Files       map[string]json.RawMessage   `json:"files"`
	Maintainers map[string][]json.RawMessage `json:"maintainers"`
}

// CaseRound is what one round of a case changes.
type CaseRound struct {
	AsOf time.Time `json:"as_of"`
	// Fail lists the requests that always fail in this round, by request key (see
	// Server.FailFirst). FailFirst is how often a request fails before it succeeds.
	Fail      []string       `json:"fail"`
	FailFirst map[string]int `json:"fail_first"`
	// UnreachableIdentity lists the uids whose GitHub account cannot be looked
	// up in this round.
	UnreachableIdentity []int `json:"unreachable_identity"`
	// Miners replaces the list of miners in this round alone.
	Miners []input.Miner `json:"miners"`
	// Mirror and Registry replace the case's from this round on.
	Mirror   *Answers        `json:"mirror"`
	Registry json.RawMessage `json:"registry"`
}

// check returns an error that names a missing or wrong part of the case.
func (c *Case) check() error {
	if len(c.Rounds) == 0 || len(c.Registry) == 0 {
		return fmt.Errorf("%s: no rounds or no registry, want a file of the parity form", c.name)
	}
	for i, r := range c.Rounds {
		if r.AsOf.IsZero() {
			return fmt.Errorf("%s: round %d has no as_of", c.name, i)
		}
		for key, times := range r.FailFirst {
			if times < 1 {
				return fmt.Errorf("%s: round %d: fail_first %s %d: want 1 or more", c.name, i, key, times)
			}
		}
	}
	return nil
}

// World is the case in one of its rounds; 0 is the first.
//
// Lists are served exactly as in the case. No window is applied: the recording has done
// that. A client that pages gets them in the case's order and not newest first, because
// the expected results were computed from lists in that order. Requests that fail get
// 500; see World.FailWith.
func (c *Case) World(round int) (*World, error) {
	if round < 0 || round >= len(c.Rounds) {
		return nil, fmt.Errorf("%s: round %d, want 0 to %d", c.name, round, len(c.Rounds)-1)
	}
	r := c.Rounds[round]
	mirror, registry := c.inForce(round)
	w := NewWorld(c.name, r.AsOf)
	w.asListed = true
	w.Registry = append(slices.Clip(registry), '\n')
	w.Miners = c.Miners
	if r.Miners != nil {
		w.Miners = r.Miners
	}
	w.Miners = unreachable(w.Miners, r.UnreachableIdentity)
	for _, key := range r.Fail {
		w.Fails[strings.ToLower(key)] = Failure{Times: -1, Fault: "500"}
	}
	for key, times := range r.FailFirst {
		w.Fails[strings.ToLower(key)] = Failure{Times: times, Fault: "500"}
	}
	w.pulls = asItems(mirror.Pulls)
	w.issues = asItems(mirror.Issues)
	w.openIssues = asItems(mirror.OpenIssues)
	w.files = lowered(mirror.Files)
	w.maintainers = lowered(mirror.Maintainers)
	return w, nil
}

// inForce are the answers and the registry of a round: the latest ones up to that round.
func (c *Case) inForce(round int) (Answers, json.RawMessage) {
	mirror, registry := c.Mirror, c.Registry
	for _, r := range c.Rounds[:round+1] {
		if r.Mirror != nil {
			mirror = *r.Mirror
		}
		if r.Registry != nil {
			registry = r.Registry
		}
	}
	return mirror, registry
}

// unreachable marks the miners whose identity look-up fails in the round.
func unreachable(miners []input.Miner, uids []int) []input.Miner {
	marked := slices.Clone(miners)
	for i, m := range marked {
		marked[i].IdentityUnreachable = m.IdentityUnreachable || slices.Contains(uids, m.UID)
	}
	return marked
}

// asItems keeps lists unchanged. Lists of a case are never windowed or sorted, so no item
// is parsed, and a malformed one is served like any other.
func asItems(lists map[string][]json.RawMessage) map[string][]item {
	items := make(map[string][]item, len(lists))
	for id, list := range lists {
		for _, raw := range list {
			items[id] = append(items[id], item{raw: raw})
		}
	}
	return items
}

// lowered has the keys in lower case: the mirror compares names of repositories so.
func lowered[T any](m map[string]T) map[string]T {
	low := make(map[string]T, len(m))
	for key, value := range m {
		low[strings.ToLower(key)] = value
	}
	return low
}
