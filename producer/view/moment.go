package view

import (
	"cmp"
	"context"
	"sync"
	"time"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/ratelimit"
)

// Moment is the state of a running round at one instant. What is shown is a function of it
// alone.
type Moment struct {
	Round        string
	Started, Now time.Time
	// Took is how long a concluded round took; 0 for a round that is not concluded, and for one
	// that its own process shows.
	Took     time.Duration
	Progress round.Progress
	Sight    round.Sight
	Meter    *estimate.Meter
	Bucket   ratelimit.State
	// Redis is why no permit would be granted; nil if one would be.
	Redis error
	// NATS is what is wrong with NATS; nil if nothing is. Silent is since when NATS has
	// confirmed nothing; zero if it answers.
	NATS   error
	Silent time.Time
	// Miners are the jobs of the round, where each of them is followed; nil elsewhere.
	Miners []MinerNow
}

// Left is how long the round still takes, if that is known.
func (m *Moment) Left() (left time.Duration, known bool) {
	return m.Progress.Work.Left(m.Now, m.Meter, m.rest())
}

// rest is how long nothing can be sent: the longest of cool-down, hold and the pause of a
// mirror that does not answer.
func (m *Moment) rest() time.Duration {
	rest := max(m.Bucket.CoolDown, m.Bucket.Hold)
	if m.stalled() {
		rest = max(rest, m.Progress.Asked.Sub(m.Now))
	}
	return rest
}

// stalled says whether all that runs waits for the mirror.
func (m *Moment) stalled() bool {
	return m.Progress.Stalled > 0 && m.Progress.Stalled == m.Progress.Running
}

// Watch follows a round while it runs. It is safe for concurrent use, and never makes
// the round wait.
type Watch struct {
	round string
	limit func(context.Context) (ratelimit.State, error)
	nats  func() error
	// started is when the round began; zero if it begins with the watch.
	started time.Time

	mu       sync.Mutex
	took     time.Duration
	progress round.Progress
	sight    round.Sight
	miners   []MinerNow
}

// NewWatch follows a round. limit reads the bucket, and says why no permit would be
// granted; nats says what is wrong with NATS.
func NewWatch(round string, limit func(context.Context) (ratelimit.State, error), nats func() error) *Watch {
	return &Watch{round: round, limit: limit, nats: nats}
}

// Begin is the moment at which watching begins.
func (w *Watch) Begin(ctx context.Context, now time.Time) Moment {
	m := Moment{Round: w.round, Started: cmp.Or(w.started, now), Meter: &estimate.Meter{}}
	w.Look(ctx, &m, now)
	return m
}

// Update takes the latest progress.
func (w *Watch) Update(p round.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.progress, w.sight.StandsBy = p, "" // a producer that counts jobs no longer stands by
}

// See takes what else is seen of the round.
func (w *Watch) See(s round.Sight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sight = s
}

// Conclude notes how long the round took, once it is concluded.
func (w *Watch) Conclude(took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took = took
}

// Show takes how each miner's job stands.
func (w *Watch) Show(miners []MinerNow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.miners = miners
}

// Latest brings a moment up to an instant, as far as it was told.
func (w *Watch) Latest(m *Moment, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m.Now = now
	m.Took = w.took
	m.Progress = w.progress
	m.Sight = w.sight
	m.Miners = w.miners
}

// Look does what Latest does, and also reads the bucket and checks NATS. It may take as
// long as a call to Redis.
func (w *Watch) Look(ctx context.Context, m *Moment, now time.Time) {
	w.Latest(m, now)
	switch m.NATS = w.nats(); {
	case m.NATS == nil:
		m.Silent = time.Time{}
	case m.Silent.IsZero():
		m.Silent = now
	}
	missed := m.Redis != nil
	state, err := w.limit(ctx)
	m.Redis = err
	if err != nil {
		return
	}
	m.Bucket = state
	m.Meter.Read(estimate.Reading{
		Granted: state.Granted,
		Rate:    state.Rate,
		Limit:   state.Limit,
		Window:  state.Window,
		Rests:   missed || state.CoolDown > 0 || state.Hold > 0 || m.stalled() || m.Sight.Workers.None || m.Sight.Paused != nil,
	}, now)
}
