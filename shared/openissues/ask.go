package openissues

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

const (
	// DefaultBytes bounds the answer, in bytes. A row has some 250 bytes, so the bound is
	// 270,000 issues.
	DefaultBytes = 64 << 20
	// maxAge is how old the answer may be when the round is planned. It allows for the
	// mirror's cache, which keeps an answer for a minute.
	maxAge = 2 * time.Minute
	// maxMalformed is how many of the skipped rows a round lists.
	maxMalformed = 10
)

// errPatience is the cause when the answer takes longer than Patience.
var errPatience = errors.New("the plan does not wait any longer")

// Question is what a round needs for its request.
type Question struct {
	Mirror *mirror.Client
	// Manifest is the round's manifest. Registry is its registry, parsed.
	Manifest job.Manifest
	Registry input.Registry
	// Bytes bounds the unpacked answer.
	Bytes int64
	// Patience is how long the plan waits for the answer, including the wait for a permit.
	// Without this answer, the round asks for each miner's own. Default 1 min.
	Patience time.Duration
	// Log default: slog.Default().
	Log *slog.Logger
}

func (q Question) withDefaults() Question {
	q.Patience = cmp.Or(q.Patience, time.Minute)
	q.Log = cmp.Or(q.Log, slog.Default())
	return q
}

// Ask makes the one request. It fails only when the caller's context ends. After any other
// failure, the answer says why it is not used.
func Ask(ctx context.Context, q Question) (job.AllIssues, error) {
	q = q.withDefaults()
	var sent atomic.Int64
	asking, cancel := context.WithTimeoutCause(mirror.WithCounter(ctx, &sent), q.Patience, errPatience)
	defer cancel()
	var tally *Tally
	answer, err := q.Mirror.AllIssues(asking, q.Bytes, func() func(scoring.IssueRow, error) {
		tally = NewTally(q.Registry, q.Manifest.AsOf, ids(q.Manifest))
		return tally.Add
	})
	if ctx.Err() != nil {
		return job.AllIssues{}, fmt.Errorf("asking for all issues: %w", errors.Join(ctx.Err(), err))
	}
	all := job.AllIssues{
		GeneratedAt: answer.GeneratedAt,
		Requests:    int(sent.Load()),
		Rows:        answer.Rows,
		Unreadable:  answer.Unreadable,
		Malformed:   answer.Malformed[:min(len(answer.Malformed), maxMalformed)],
	}
	if err == nil {
		err = fresh(answer.GeneratedAt, q.Manifest.PlannedAt)
	}
	if err != nil {
		all.Unused = err.Error()
		q.Log.WarnContext(ctx, "the one answer on all issues is not used: each miner's are asked for",
			"round", q.Manifest.Round, "error", err)
		return all, nil
	}
	all.Miners = tally.Miners()
	return all, nil
}

// fresh refuses an answer that was made too long before the round was planned. Both times
// are wall-clock times; as_of would not do, because it may be any instant.
func fresh(generated, planned time.Time) error {
	if oldest := planned.Add(-maxAge); generated.Before(oldest) {
		return fmt.Errorf("the answer is stale: generated_at is %s, and the round was planned at %s, more than %s later",
			generated.UTC().Format(time.RFC3339), planned.UTC().Format(time.RFC3339), maxAge)
	}
	return nil
}

// ids are the GitHub ids of the round's jobs.
func ids(m job.Manifest) []string {
	jobs := m.Jobs()
	list := make([]string, len(jobs))
	for i, j := range jobs {
		list[i] = j.GitHubID
	}
	return list
}
