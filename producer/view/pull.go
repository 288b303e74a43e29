package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
)

// PullRequest is one pull request: scored, or dropped.
type PullRequest struct {
	Heading

	PullRequest *scoring.PullRequestOutcome `json:"pull_request,omitempty"`
	Dropped     *scoring.Dropped            `json:"dropped,omitempty"`
	// Gate is the repository's, which decides whether merged pull requests earn; nil for a
	// repository that is not registered.
	Gate *scoring.Gate `json:"pull_gate,omitempty"`
	// Derivation is how its score comes about; of a dropped one only the gate that drops it.
	Derivation Derivation `json:"derivation"`
	// Missing is what the fleet could not get of it, or not score.
	Missing []job.Missing `json:"missing,omitempty"`
	// NoFiles says why there are no scores of files; "" when there are some.
	NoFiles string `json:"no_files,omitempty"`
}

// PullName names one pull request.
type PullName struct {
	Repository string // lower-cased, as the outcome has it
	Number     int
}

func (p PullName) String() string { return fmt.Sprintf("%s#%d", p.Repository, p.Number) }

// AuthorOf finds the miner that has a pull request.
func AuthorOf(r *outcome.Result, name PullName) (uid int, err error) {
	for i := range r.Outcome.Miners {
		if slices.Contains(PullsOf(&r.Outcome.Miners[i]), name) {
			return r.Outcome.Miners[i].UID, nil
		}
	}
	return 0, fmt.Errorf("%w: no miner of round %s has a pull request %s; give a UID to see what it has", ErrNoPull, r.Round, name)
}

// PullsOf lists a miner's pull requests, the dropped ones last.
func PullsOf(m *scoring.MinerOutcome) []PullName {
	var names []PullName
	for i := range m.PullRequests {
		names = append(names, PullName{m.PullRequests[i].Repository, m.PullRequests[i].Number})
	}
	for i := range m.Dropped {
		names = append(names, PullName{m.Dropped[i].Repository, m.Dropped[i].Number})
	}
	return names
}

// PullOf is one pull request of a miner, with its files.
func PullOf(ctx context.Context, bus *jobstream.Bus, r outcome.Result, m *scoring.MinerOutcome, name PullName) (PullRequest, error) {
	a, err := PullIn(&r, m, name)
	if err != nil || a.Dropped != nil {
		return a, err
	}
	return a, a.readFiles(ctx, bus, &r, m)
}

// PullIn is what the outcome itself says of a pull request: all but its files.
func PullIn(r *outcome.Result, m *scoring.MinerOutcome, name PullName) (PullRequest, error) {
	a := PullRequest{Heading: headingOf(*r, m.UID)}
	for _, missing := range missingOf(r, m.UID) {
		if missing.What == "files "+name.String() {
			a.Missing = append(a.Missing, missing)
		}
	}
	for i := range m.Repositories {
		if m.Repositories[i].Repository == name.Repository {
			a.Gate = m.Repositories[i].PullGate
		}
	}
	names := PullsOf(m)
	switch at := slices.Index(names, name); {
	case len(names) == 0:
		return a, fmt.Errorf("%w: miner %d has no pull request in round %s", ErrNoPull, m.UID, r.Round)
	case at < 0:
		list := make([]string, len(names))
		for i := range names {
			list[i] = names[i].String()
		}
		return a, fmt.Errorf("%w: miner %d has no pull request %s in round %s; it has %s",
			ErrNoPull, m.UID, name, r.Round, strings.Join(list, ", "))
	case at < len(m.PullRequests):
		pull := m.PullRequests[at] // a copy: its files are added to it, and the outcome stays as it is
		a.PullRequest = &pull
		a.Derivation = derivePull(a.PullRequest, a.Gate, pathOf(&r.Outcome, m.UID).in(name.Repository))
	default:
		a.Dropped, a.NoFiles = &m.Dropped[at-len(m.PullRequests)], "a dropped pull request's files are not fetched"
		a.Derivation = Derivation{Formulas: []Formula{}, Gates: DropGates(a.Dropped), Waterfall: []Step{}}
	}
	return a, nil
}

// readFiles fetches the scores of the pull request's files, which only the
// evaluation has. When they are gone NoFiles says so; the rest is shown all the same.
func (a *PullRequest) readFiles(ctx context.Context, bus *jobstream.Bus, r *outcome.Result, m *scoring.MinerOutcome) error {
	if m.FromStored {
		a.NoFiles = "it is from the miner's stored evaluation, which keeps no files"
		return nil
	}
	if !a.PullRequest.Scored {
		a.NoFiles = "the pull request is not scored: " + string(a.PullRequest.Reasons.Base.Code)
		return nil
	}
	evaluation, err := evaluationOf(ctx, bus, r, m.UID)
	var damaged *jobstream.ValueError
	switch {
	case errors.Is(err, jobstream.ErrNotFound):
		a.NoFiles = "the evaluation is no longer kept"
		return nil
	case errors.As(err, &damaged):
		a.NoFiles = "the evaluation cannot be read: " + err.Error()
		return nil
	case err != nil:
		return err
	}
	found := sameContent(&evaluation, &a.PullRequest.ScoredPullRequest)
	if found == nil {
		a.NoFiles = "the evaluation that is kept is of another commit"
		return nil
	}
	if a.PullRequest.Tokens = found.Tokens; found.Tokens == nil {
		a.NoFiles = "the mirror gave none"
	}
	return nil
}

// sameContent finds an outcome's pull request in an evaluation, nil where it has
// moved on: a replay may have stored a newer evaluation, of another head commit.
func sameContent(e *scoring.Evaluation, pull *scoring.ScoredPullRequest) *scoring.ScoredPullRequest {
	for _, list := range [][]scoring.ScoredPullRequest{e.Merged, e.Open, e.Closed} {
		for i := range list {
			if p := &list[i]; p.Repository == pull.Repository && p.Number == pull.Number && headOf(p) == headOf(pull) {
				return p
			}
		}
	}
	return nil
}

func headOf(p *scoring.ScoredPullRequest) string {
	if p.Listed == nil {
		return ""
	}
	return p.Listed.HeadSHA
}

// evaluationOf reads the evaluation that counts for a miner now. If the outcome lists the
// same key with another digest, the evaluation counts as damaged. After a replay the key
// differs: that is accepted, unless this process verifies signatures, because nothing that
// is signed vouches for the newer evaluation here.
func evaluationOf(ctx context.Context, bus *jobstream.Bus, r *outcome.Result, uid int) (scoring.Evaluation, error) {
	record, _, err := bus.Records.Load(ctx, r.Round, uid)
	if err != nil {
		return scoring.Evaluation{}, fmt.Errorf("reading the record of miner %d: %w", uid, err)
	}
	key := record.Stands()
	if key == "" {
		return scoring.Evaluation{}, fmt.Errorf("miner %d: %w", uid, jobstream.ErrNotFound)
	}
	evaluation, digest, err := bus.Evaluations.LoadDigest(ctx, key)
	if err != nil {
		return scoring.Evaluation{}, fmt.Errorf("reading the evaluation of miner %d: %w", uid, err)
	}
	at := slices.IndexFunc(r.Evaluations, func(p outcome.Part) bool { return p.UID == uid })
	switch {
	case at < 0:
	case r.Evaluations[at].Key != key && !bus.Verifies(): // a replay has stored a newer one
	case r.Evaluations[at].SHA256 != digest:
		return scoring.Evaluation{}, notOfTheOutcome(key)
	}
	return evaluation.Evaluation, nil
}

// notOfTheOutcome is a stored evaluation with another digest than the outcome lists.
func notOfTheOutcome(key string) error {
	return &jobstream.ValueError{Bucket: job.BucketEvaluation, Key: key, Err: errors.New("it is not the one of the outcome")}
}
