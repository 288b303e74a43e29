package loss_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/lease"
)

// patience bounds a scenario; nothing is measured against it.
const patience = 2 * time.Minute

// rounds is how many a scenario has, and lasting how many of them something may
// happen to: the last shows that the fleet still works.
const (
	rounds  = 3
	lasting = 2
)

// stage is a fleet: a producer and workers at the server of a scenario.
type stage struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // the scenario's own, with its patience
	// urls are where the producer and the workers find the server.
	urls struct{ producer, worker string }
	bus  *jobstream.Bus
	nc   *nats.Conn

	client *mirror.Client
	mirror string

	ticks ticks
	mu    sync.Mutex
	said  []string // the errors that processes ended with
}

// newStage is for a server that runs.
func newStage(t *testing.T, producer, worker string) *stage {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the scenario did not end"))
	t.Cleanup(cancel)
	s := &stage{t: t, ctx: ctx}
	s.urls.producer, s.urls.worker = producer, worker
	server := httptest.NewServer(http.HandlerFunc(maintainers))
	t.Cleanup(server.Close)
	s.mirror = server.URL
	s.client = must.Get(mirror.New(mirror.Config{BaseURL: server.URL, Meter: open{}, Log: jobstreamtest.Quiet()}))(t)
	t.Cleanup(s.client.Close)
	s.nc, _ = jobstreamtest.Connect(t, producer, nil)
	s.bus = must.Get(s.open(ctx, s.nc, jobstream.RoleProducer))(t)
	t.Cleanup(s.ticks.wait)
	for i := range 2 {
		s.work(fmt.Sprintf("w%d", i+1))
	}
	return s
}

// open is what a process does when it starts: the lease is short, so that what a
// dead worker had is soon another's.
func (s *stage) open(ctx context.Context, nc *nats.Conn, role jobstream.Role) (*jobstream.Bus, error) {
	return jobstream.Open(ctx, nc, jobstream.Config{
		Role: role, AckWait: time.Second, Timeout: time.Second, RetryWait: 20 * time.Millisecond, Log: jobstreamtest.Quiet(),
	})
}

// maintainers knows one, miner 2, wherever it is asked.
func maintainers(w http.ResponseWriter, r *http.Request) {
	repository := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/api/v1/repos/"), "/maintainers")
	fmt.Fprintf(w, `{"repo_full_name":%q,"generated_at":"2026-06-01T00:00:00Z","maintainers":[`+
		`{"github_id":"102","login":"m","association":"OWNER"}]}`, repository)
}

// open is a meter that grants everything: the limit is not what is tested.
type open struct{}

func (open) Permit(context.Context) (time.Time, error)     { return time.Now().Add(time.Hour), nil }
func (open) CoolDown(context.Context, time.Duration) error { return nil }

// ended notes why a process ended, and waits a little before it is started again;
// false when the scenario has ended.
func (s *stage) ended(ctx context.Context, who string, err error) bool {
	s.mu.Lock()
	s.said = append(s.said, who+": "+err.Error())
	s.mu.Unlock()
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// work keeps a worker running until the test ends.
func (s *stage) work(name string) {
	s.t.Helper()
	nc, _ := jobstreamtest.Connect(s.t, s.urls.worker, nil)
	ctx, stop := context.WithCancel(context.WithoutCancel(s.ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if err := s.workOnce(ctx, nc, name); err != nil && ctx.Err() == nil && !s.ended(ctx, name, err) {
				return
			}
		}
	}()
	s.t.Cleanup(func() {
		stop()
		if s.t.Failed() {
			nc.Close() // or it waits for what there is not
		}
		<-ended
	})
}

func (s *stage) workOnce(ctx context.Context, nc *nats.Conn, name string) error {
	bus, err := s.open(ctx, nc, jobstream.RoleWorker)
	if err != nil {
		return err
	}
	r, err := lease.New(lease.Config{
		Worker: name, Bus: bus, Handler: s.evaluate, Slots: 3, Grace: time.Millisecond, FetchWait: 50 * time.Millisecond,
		Delays: []time.Duration{time.Millisecond}, Log: jobstreamtest.Quiet(),
	})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// The miners of every round, by what becomes of them.
const (
	degraded = 9  // always lacks something
	lapsing  = 10 // is dead in every round but the first: stored pull requests stand in
	dead     = 11 // is dead in every round
	failing  = 3  // fails once
)

// evaluate ends a job as its miner's part is, and lets something happen then.
func (s *stage) evaluate(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
	s.ticks.tick(ctx)
	switch {
	case j.UID == dead || j.UID == lapsing && j.Round != name(0):
		return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("the mirror answered 404"))
	case j.UID == failing && a.Failures == 0:
		return job.Evaluation{}, errors.New("the mirror answered 502")
	}
	e := job.Evaluation{Evaluation: scoring.Evaluation{
		UID: j.UID, Hotkey: j.Hotkey, GitHubID: j.GitHubID,
		Merged: []scoring.ScoredPullRequest{{
			Repository: "a/b", Number: j.UID, State: scoring.Merged, Scored: true, BaseScore: float64(10 + j.UID + len(j.Round)),
			IssueMultiplier: 1, TimeDecayMultiplier: 1, ReviewQualityMultiplier: 1, LabelMultiplier: 1,
		}},
	}}
	if j.UID == degraded {
		e.Missing = []job.Missing{{What: "issues", Cause: job.Unanswered, Error: "the mirror answered 500"}}
	}
	return e, nil
}

// name is that of the nth round.
func name(n int) string { return fmt.Sprintf("2026060%dt000000z-000000", n+1) }

// plan is the nth round.
func (s *stage) plan(n int) job.Manifest {
	s.t.Helper()
	miners := []input.Miner{{UID: 0, Hotkey: "h0", GitHubID: "100"}}
	for uid := 1; uid <= 11; uid++ {
		miners = append(miners, input.Miner{UID: uid, Hotkey: fmt.Sprint("h", uid), GitHubID: fmt.Sprint(100 + uid)})
	}
	data := must.Get(json.Marshal(miners))(s.t)
	languages, tokens := tokens.DefaultWeights()
	asOf := time.Date(2026, 6, n+1, 0, 0, 0, 0, time.UTC)
	return must.Get(round.Plan(name(n), round.Inputs{
		Miners: round.File{Name: "miners.json", Data: data},
		Registry: round.File{Name: "registry.json", Data: []byte(`{"A/B": {"emission_share": 0.8, "maintainer_cut": 0.25,
			"issue_discovery_share": 0, "eligibility": {"min_valid_merged_prs": 1}}}`)},
		Languages: round.File{Name: "languages", Data: languages}, Tokens: round.File{Name: "tokens", Data: tokens},
		Mirror: s.mirror, AsOf: asOf,
	}, asOf))(s.t)
}

// produce keeps a producer running until the nth round has ended, or it is known
// that the round is lost.
func (s *stage) produce(n int) {
	s.t.Helper()
	for {
		err := s.produceOnce(n)
		if err == nil || errors.Is(err, round.ErrLost) {
			return
		}
		if !s.ended(s.ctx, "producer", err) {
			s.t.Fatalf("round %d did not end: %v; processes ended with\n%s", n+1, err, s.words())
		}
	}
}

func (s *stage) produceOnce(n int) error {
	bus, err := s.open(s.ctx, s.nc, jobstream.RoleProducer)
	if err != nil {
		return err
	}
	r, err := round.New(round.Config{
		Bus: bus, Mirror: s.client, SoleProducer: true, Takeover: 3 * time.Second, Reconcile: 100 * time.Millisecond, Log: jobstreamtest.Quiet(),
	})
	if err != nil {
		return err
	}
	_, err = r.Start(s.ctx, s.plan(n))
	if errors.Is(err, jobstream.ErrExists) {
		_, err = r.Resume(s.ctx, name(n))
	}
	return err
}

// words are what processes ended with, each once with how often.
func (s *stage) words() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	count, order := map[string]int{}, []string{}
	for _, one := range s.said {
		if count[one]++; count[one] == 1 {
			order = append(order, one)
		}
	}
	for i, one := range order {
		order[i] = fmt.Sprintf("%4d × %.400s", count[one], one)
	}
	return strings.Join(order, "\n")
}

// ticks are the instants of a scenario: each end of an attempt is one, and so is
// each beginning and end of a round. What is to happen at one happens beside
// everything else, but after what was to happen before; whoever came to it waits for
// the end of it.
type ticks struct {
	mu      sync.Mutex
	now     int
	acts    map[int]func()
	last    chan struct{} // closed when the last thing that was to happen has
	running sync.WaitGroup
}

// at has something happen at the nth tick, from 1.
func (k *ticks) at(n int, act func()) {
	if k.acts == nil {
		k.acts = map[int]func(){}
	}
	k.acts[n] = act
}

func (k *ticks) tick(ctx context.Context) {
	k.mu.Lock()
	k.now++
	act := k.acts[k.now]
	done, before := make(chan struct{}), k.last
	if act != nil {
		k.last = done
		k.running.Go(func() {
			defer close(done)
			if before != nil {
				<-before
			}
			act()
		})
	}
	k.mu.Unlock()
	if act == nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (k *ticks) wait() { k.running.Wait() }

// play runs the rounds, and goes on with what is left of one before the next begins,
// as a schedule does.
func (s *stage) play() {
	s.t.Helper()
	for n := range lasting {
		s.ticks.tick(s.ctx)
		for former := range n {
			s.produce(former)
		}
		s.produce(n)
	}
	s.ticks.tick(s.ctx)
	s.ticks.wait()
	for n := range rounds {
		s.produce(n)
	}
}
