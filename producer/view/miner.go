package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
)

// InstantLayout is how instants are written in headings.
const InstantLayout = "2006-01-02T15:04:05Z07:00"

// Heading names what an answer is about.
type Heading struct {
	Round    string `json:"round"`
	Revision int    `json:"revision"`
	AsOf     string `json:"as_of"`
	UID      int    `json:"uid"`
}

// headingOf is the heading of an answer about one miner.
func headingOf(r outcome.Result, uid int) Heading {
	return Heading{
		Round:    r.Round,
		Revision: r.Revision,
		AsOf:     r.AsOf.UTC().Format(InstantLayout),
		UID:      uid,
	}
}

// Miner is everything that a round has to say of one miner.
type Miner struct {
	Heading

	// Trace is that of the miner's last job; "" when there was none.
	Trace   string               `json:"trace,omitempty"`
	Outcome scoring.MinerOutcome `json:"miner"`
	Rewards Path                 `json:"rewards"`
	// Derivation is how its scores and its reward come about, by repository.
	Derivation []RepositoryDerivation `json:"derivation"`
	// DeadLetters, Missing and Malformed are what the fleet could not get.
	DeadLetters []job.DeadLetter `json:"dead_letters,omitempty"`
	Missing     []job.Missing    `json:"missing,omitempty"`
	// UnknownIdentity and StandIn say what stands in for what could not be obtained.
	UnknownIdentity *outcome.UnknownIdentity `json:"unknown_identity,omitempty"`
	StandIn         *outcome.StandIn         `json:"stand_in,omitempty"`
	Malformed       []job.Malformed          `json:"malformed,omitempty"`
}

// MinerIn finds a miner in an outcome.
func MinerIn(r *outcome.Result, uid int) (*scoring.MinerOutcome, error) {
	at := slices.IndexFunc(r.Outcome.Miners, func(m scoring.MinerOutcome) bool { return m.UID == uid })
	if at < 0 {
		return nil, noMiner(r.Round, uid, r.Outcome.Miners, func(m scoring.MinerOutcome) int { return m.UID })
	}
	return &r.Outcome.Miners[at], nil
}

// MinerOf is what a round has to say of a miner of its own.
func MinerOf(ctx context.Context, bus *jobstream.Bus, r outcome.Result, m *scoring.MinerOutcome) (Miner, error) {
	a := MinerFrom(&r, m)
	record, _, err := bus.Records.Load(ctx, r.Round, m.UID)
	if err != nil && !errors.Is(err, jobstream.ErrNotFound) && !jobstream.Damaged(err) {
		return a, fmt.Errorf("reading the record of miner %d: %w", m.UID, err)
	}
	a.Trace = record.Trace
	return a, nil
}

// MinerFrom is what the outcome itself says of a miner: all but the trace.
func MinerFrom(r *outcome.Result, m *scoring.MinerOutcome) Miner {
	path := pathOf(&r.Outcome, m.UID)
	a := Miner{
		Heading:    headingOf(*r, m.UID),
		Outcome:    *m,
		Rewards:    path,
		Derivation: deriveRepositories(m, path),
		Missing:    missingOf(r, m.UID),
	}
	for _, letter := range r.DeadLetters {
		if letter.UID == m.UID {
			a.DeadLetters = append(a.DeadLetters, letter)
		}
	}
	for i := range r.UnknownIdentities {
		if r.UnknownIdentities[i].UID == m.UID {
			a.UnknownIdentity = &r.UnknownIdentities[i]
		}
	}
	for i := range r.StandIns {
		if r.StandIns[i].UID == m.UID {
			a.StandIn = &r.StandIns[i]
		}
	}
	for _, d := range r.Malformed {
		if d.UID == m.UID {
			a.Malformed = append(a.Malformed, d.Items...)
		}
	}
	return a
}

// missingOf is what a miner's evaluation lacks.
func missingOf(r *outcome.Result, uid int) []job.Missing {
	var missing []job.Missing
	for _, d := range r.Degraded {
		if d.UID == uid {
			missing = append(missing, d.Missing...)
		}
	}
	return missing
}

// noMiner says which miners a round has instead of the one that was asked for.
func noMiner[M any](round string, uid int, has []M, uidOf func(M) int) error {
	uids := make([]string, len(has))
	for i := range has {
		uids[i] = strconv.Itoa(uidOf(has[i]))
	}
	return fmt.Errorf("%w: uid %d is not in round %s; its uids are %s", ErrNoMiner, uid, round, strings.Join(uids, ", "))
}
