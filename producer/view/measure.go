package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// Measured is what a concluded round took.
type Measured struct {
	Manifest job.Manifest
	Sizes    map[int]estimate.Size // of those whose evaluation can be read
	requests int
	cached   int
	// took is the time from the plan to the last evaluation; 0 if the round was replayed,
	// because it would include the time in between.
	took time.Duration
}

// measureAtOnce is how many evaluations are read side by side.
const measureAtOnce = 8

// Measure reads a round's records and evaluations.
func Measure(ctx context.Context, bus *jobstream.Bus, name string) (*Measured, error) {
	manifest, err := bus.Rounds.Manifest(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading round %s: %w", name, err)
	}
	records, err := bus.Records.List(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading the records of round %s: %w", name, err)
	}
	evaluations := make([]job.Evaluation, len(records))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(measureAtOnce)
	for i, record := range records {
		key := record.Stands()
		if key == "" {
			continue
		}
		group.Go(func() (err error) {
			evaluations[i], err = bus.Evaluations.Load(reading, key)
			var damaged *jobstream.ValueError
			if errors.Is(err, jobstream.ErrNotFound) || errors.As(err, &damaged) {
				return nil // it costs the measure of one miner
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("reading the evaluations of round %s: %w", name, err)
	}
	m := &Measured{Manifest: manifest, Sizes: map[int]estimate.Size{}}
	m.add(records, evaluations)
	return m, nil
}

// add adds the jobs up.
func (m *Measured) add(records []job.Record, evaluations []job.Evaluation) {
	var last time.Time
	replayed := false
	for i, record := range records {
		m.requests += record.Requests
		replayed = replayed || record.Replay > 0
		e := &evaluations[i]
		if e.Version == 0 {
			continue
		}
		m.cached += e.Cached
		if e.FinishedAt.After(last) {
			last = e.FinishedAt
		}
		m.Sizes[record.UID] = sizeOf(record, e, m.known(record))
	}
	if !replayed && last.After(m.Manifest.PlannedAt) {
		m.took = last.Sub(m.Manifest.PlannedAt)
	}
}

// known is how many look-ups of issues the round's one answer had left out.
func (m *Measured) known(r job.Record) int {
	at := slices.IndexFunc(m.Manifest.Miners, func(miner input.Miner) bool { return miner.UID == r.UID })
	if at < 0 {
		return 0
	}
	switch known, isKnown := m.Manifest.Issues(job.Job{GitHubID: m.Manifest.Miners[at].GitHubID, Replay: r.Replay}); {
	case !isKnown:
		return 0
	case known.Inside:
		return 1
	}
	return 2
}

// sizeOf computes what a job took. Its look-ups are its requests minus the files that were
// fetched. After more than one attempt, the requests are those of all attempts, so the
// minimum of look-ups is assumed.
func sizeOf(record job.Record, e *job.Evaluation, known int) estimate.Size {
	var size estimate.Size
	// With a fixed base score, an evaluation does not say whether the list of files was
	// empty or missing at the mirror. An empty one is cached, a missing one is asked for
	// again; the number of requests tells which it was.
	var open []string
	for _, list := range [][]scoring.ScoredPullRequest{e.Evaluation.Merged, e.Evaluation.Open, e.Evaluation.Closed} {
		for i := range list {
			pr := &list[i]
			name := fmt.Sprintf("%s#%d", pr.Repository, pr.Number)
			switch {
			case missingFiles(e, name) || slices.Contains(e.Unsettled, name):
				size.Unkept++
			case pr.Tokens != nil || pr.Reasons.Base.Code == scoring.BaseNoFiles: // an empty list of files is kept
				size.Pulls = append(size.Pulls, name)
			case pr.Reasons.Base.Code == scoring.BaseFixed:
				open = append(open, name)
			}
		}
	}
	if e.Evaluation.Issues != nil {
		for _, s := range e.Evaluation.Issues.Solving {
			name := fmt.Sprintf("%s#%d", s.Repository, s.Number)
			if s.Unavailable || missingFiles(e, name) || slices.Contains(e.Unsettled, name) {
				size.Unkept++
				continue
			}
			size.Pulls = append(size.Pulls, name)
		}
	}
	size.LookUps = estimate.LookUps - known
	if record.Deliveries != 1 {
		return size
	}
	fetched := len(size.Pulls) + size.Unkept - e.Cached
	if more := record.Requests - fetched - size.LookUps; more > 0 {
		named := min(more, len(open))
		size.Pulls = append(size.Pulls, open[:named]...)
		size.LookUps += more - named
	}
	return size
}

// missingFiles says whether a pull request's files could not be had or scored,
// and so were not kept.
func missingFiles(e *job.Evaluation, name string) bool {
	return slices.ContainsFunc(e.Missing, func(m job.Missing) bool { return m.What == "files "+name })
}

// Size is what a job's miner took; nil when the round did not have it, or had
// another account under its uid, or had its issues alone.
func (m *Measured) Size(j job.Job) *estimate.Size {
	if m == nil {
		return nil
	}
	at := slices.IndexFunc(m.Manifest.Miners, func(miner input.Miner) bool {
		return miner.UID == j.UID && miner.GitHubID == j.GitHubID && miner.IdentityUnreachable == j.IssuesOnly
	})
	size, there := m.Sizes[j.UID]
	if at < 0 || !there {
		return nil
	}
	return &size
}

// Last is what the round took, beside the estimate.
func (m *Measured) Last() *estimate.Last {
	return &estimate.Last{
		Round:    m.Manifest.Round,
		Requests: m.requests,
		Cached:   m.cached,
		Seconds:  m.took.Seconds(),
	}
}
