package evaluate_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scorecache"
	"mirrorfleet/worker/evaluate"
)

// A job fetches a pull request that another job of the worker waits for too, and
// loses its lease over it. The other one then fetches it by itself.
func TestAWaiterOutlivesTheOthersLease(t *testing.T) {
	t.Parallel()
	b := setup(t, named(1, "h"))
	must.Do(t, b.server.FailFirst("files:a/b#1", 1, mirrorsim.FaultStall))
	lost := errors.New("lease lost")
	leased, lose := context.WithCancelCause(t.Context())
	defer lose(nil)
	var group errgroup.Group
	group.Go(func() error {
		_, err := b.evaluator.Evaluate(leased, one(), job.Attempt{})
		if !errors.Is(err, lost) {
			t.Errorf("the job that lost its lease: got %v, want that it says so", err)
		}
		return nil
	})
	must.Until(t.Context(), t, "it asks for the files", func() bool { return filesAsked(b) == 1 })
	var waited job.Evaluation
	group.Go(func() (err error) {
		waited, err = b.evaluator.Evaluate(t.Context(), one(), job.Attempt{})
		return err
	})
	must.Until(t.Context(), t, "it has its list, and needs the files next", func() bool { return b.server.Stats().Requests == 3 })
	lose(lost)
	must.Do(t, group.Wait())
	if len(waited.Missing) > 0 || waited.Evaluation.Merged[0].TotalNodesScored == 0 {
		t.Errorf("the job that waited: got %+v, want the files that it fetched itself", waited)
	}
}

// A job needs files that another job has fetched and whose scores are not kept yet. It
// waits for these, and fetches nothing.
func TestAFetchEndsWhenItIsKept(t *testing.T) {
	t.Parallel()
	bucket := &slow{began: make(chan struct{}), release: make(chan struct{})}
	b := setup(t, named(1, "h"), func(c *evaluate.Config) {
		bucket.KeyValue = c.Bus.Bucket(job.BucketScores)
		c.Scores = must.Get(scorecache.New(scorecache.Config{Bucket: bucket, Scorer: c.Scorer.Version(), Log: quiet, Timeout: time.Minute}))(t)
	})
	var group errgroup.Group
	evaluate := func(ctx context.Context) {
		group.Go(func() error {
			_, err := b.evaluator.Evaluate(ctx, one(), job.Attempt{})
			return err
		})
	}
	evaluate(t.Context())
	must.Receive(t.Context(), t, bucket.began, "the scores are being kept")
	var board doing.Board
	evaluate(doing.With(t.Context(), &board))
	must.Until(t.Context(), t, "it waits for the other job, or asks for the files", func() bool {
		return board.State(time.Now()).Waits == doing.Other || filesAsked(b) > 1
	})
	close(bucket.release)
	must.Do(t, group.Wait())
	if filesAsked(b) != 1 {
		t.Errorf("%d requests for the files, want one", filesAsked(b))
	}
}

// slow is a bucket whose first write waits.
type slow struct {
	jetstream.KeyValue

	began, release chan struct{}
	once           sync.Once
}

func (s *slow) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	s.once.Do(func() {
		close(s.began)
		<-s.release
	})
	return s.KeyValue.Put(ctx, key, value)
}

// A job that waits for another's fetch ends with its own lease, and the fetch
// goes on.
func TestAWaiterEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t, named(1, "h"))
	must.Do(t, b.server.FailFirst("files:a/b#1", 1, mirrorsim.FaultStall))
	fetching, stop := context.WithCancel(t.Context())
	var group errgroup.Group
	group.Go(func() error {
		_, err := b.evaluator.Evaluate(fetching, one(), job.Attempt{})
		if fetching.Err() == nil {
			t.Errorf("the fetch ended with the job that waited for it: %v", err)
		}
		return nil
	})
	must.Until(t.Context(), t, "it asks for the files", func() bool { return filesAsked(b) == 1 })
	lost := errors.New("lease lost")
	leased, lose := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, lost)
	defer lose()
	if _, err := b.evaluator.Evaluate(leased, one(), job.Attempt{}); !errors.Is(err, lost) {
		t.Errorf("got %v, want the cause of the context's end", err)
	}
	if filesAsked(b) != 1 {
		t.Errorf("%d requests for the files, want one", filesAsked(b))
	}
	stop()
	must.Do(t, group.Wait())
}

// Two miners' issues were solved by one pull request, and their jobs need its
// files at once. The one that fetches them has spent its budget; the other one
// fetches them by itself.
func TestASpentBudgetIsItsOwnMinersAlone(t *testing.T) {
	t.Parallel()
	hard := strings.Repeat("a?b:", 100_000)
	hardFiles := files(1)
	hardFiles.Files[0].HeadContent = &hard
	w := world(1)
	w.AddFiles(hardFiles)
	w.AddFiles(files(5))
	for _, miner := range []string{"107", "108"} {
		addSolved(w, miner, 5)
	}
	b := setup(t, w, func(c *evaluate.Config) { c.MinerBudget = 300 * time.Millisecond })
	release := make(chan struct{})
	b.meter.before = func(permit int) {
		if permit == 5 { // after the lists and the files of the hard one: what it waits for is the solver's
			<-release
		}
	}
	var group errgroup.Group
	var poor, rich job.Evaluation
	group.Go(func() (err error) {
		poor, err = b.evaluator.Evaluate(t.Context(), one(), job.Attempt{})
		return err
	})
	must.Until(t.Context(), t, "it asks for the files of the solver", func() bool { return b.meter.taken() == 5 })
	group.Go(func() (err error) {
		other := one()
		other.GitHubID = "108"
		rich, err = b.evaluator.Evaluate(t.Context(), other, job.Attempt{})
		return err
	})
	must.Until(t.Context(), t, "it has its lists, and needs the files next", func() bool { return b.server.Stats().Requests == 7 })
	close(release)
	must.Do(t, group.Wait())
	if len(poor.Missing) != 2 || poor.Missing[0].What != "files a/b#1" || poor.Missing[1].What != "files a/b#5" {
		t.Errorf("the miner with a hostile file lacks %+v, want that file and what came after it", poor.Missing)
	}
	if !poor.Evaluation.Issues.Solving[0].Unavailable {
		t.Errorf("what solved its issue counts for %+v, want it unavailable", poor.Evaluation.Issues.Solving[0])
	}
	if len(rich.Missing) > 0 || rich.Evaluation.Issues.Solving[0].TokenScore == 0 {
		t.Errorf("the other one lacks %+v and has %+v, want the solver's score", rich.Missing, rich.Evaluation.Issues.Solving)
	}
}

// addSolved gives a miner an issue that another's pull request solved.
func addSolved(w *mirrorsim.World, miner string, solver int) {
	created := asOf.Add(-2 * time.Hour)
	merged := asOf.Add(-time.Hour)
	main := "main"
	reason := "COMPLETED"
	w.AddIssue(miner, mirrorsim.Issue{
		RepoFullName: "a/b", Number: 20, State: "CLOSED", StateReason: &reason, AuthorGitHubID: &miner, CreatedAt: &created, ClosedAt: &merged,
		SolvedByPR: &solver, SolvingPR: &mirrorsim.SolvingPR{
			Number: solver, AuthorGitHubID: "109", State: "MERGED", MergedAt: &merged, BaseRef: &main, DefaultBranch: &main,
		},
	})
}

// A pull request that its author's list and a solved issue both name, at once, is
// fetched once; each job judges the answer by what it knows.
func TestAListAndAnIssueShareAFetch(t *testing.T) {
	t.Parallel()
	w := named(1, "h")
	created := asOf.Add(-3 * time.Hour)
	closed := asOf.Add(-time.Minute)
	author := "108"
	solver := 1
	reason := "COMPLETED"
	main := "main"
	head, base := "h-1", "m"
	w.AddIssue(author, mirrorsim.Issue{
		RepoFullName: "a/b", Number: 20, State: "CLOSED", StateReason: &reason, AuthorGitHubID: &author, CreatedAt: &created, ClosedAt: &closed,
		SolvedByPR: &solver, SolvingPR: &mirrorsim.SolvingPR{
			Number: solver, AuthorGitHubID: "107", State: "MERGED", MergedAt: &created, BaseRef: &main, DefaultBranch: &main,
			HeadSHA: &head, MergeBaseSHA: &base,
		},
	})
	b := setup(t, w, func(c *evaluate.Config) { c.HeldFiles = 1 })
	must.Do(t, b.server.FailFirst("files:a/b#1", 1, mirrorsim.FaultStall))
	leased, lose := context.WithCancel(t.Context())
	first := make(chan struct{})
	go func() { // holds the place for files until both others wait
		defer close(first)
		_, _ = b.evaluator.Evaluate(leased, one(), job.Attempt{})
	}()
	must.Until(t.Context(), t, "it asks for the files", func() bool { return filesAsked(b) == 1 })
	var group errgroup.Group
	evaluated := map[string]*job.Evaluation{"107": {}, author: {}}
	for id, into := range evaluated {
		j := one()
		j.GitHubID = id
		group.Go(func() (err error) {
			*into, err = b.evaluator.Evaluate(t.Context(), j, job.Attempt{})
			return err
		})
	}
	must.Until(t.Context(), t, "both have their lists, and need the files next", func() bool { return b.server.Stats().Requests == 6 })
	lose()
	<-first
	must.Do(t, group.Wait())
	if got := filesAsked(b); got != 2 {
		t.Errorf("%d requests for the files, want the one that was broken off and one for both", got)
	}
	if len(evaluated["107"].Unsettled) != 0 || len(evaluated[author].Unsettled) != 1 || len(evaluated[author].Evaluation.Issues.Solving) != 1 {
		t.Errorf("by its list: not settled %v; by an issue: %v; want the latter alone", evaluated["107"].Unsettled, evaluated[author].Unsettled)
	}
}
