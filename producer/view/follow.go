package view

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// How often a round is looked at that another process runs: its records, and the rest, which
// is the signs of workers, a pause, and whether the round has ended.
const (
	lookAtRecords = 500 * time.Millisecond
	lookAtRest    = 2 * time.Second
	// takeoverTime is how long a round may be without a producer before whoever follows it
	// leaves: a standby takes over sooner.
	takeoverTime = 30 * time.Second
)

// Follow is one process's look at a round that another process runs. It reads NATS alone, and
// changes nothing.
type Follow struct {
	bus      *jobstream.Bus
	manifest job.Manifest
	follower *round.Follower
	// Watch is for the display of the round.
	Watch *Watch

	toldAt  uint64            // the sequence up to which the records are told
	retries map[int]time.Time // when a queued job is due again
	roll    jobstream.Roll
	paused  *job.RoundStop // the pause of a round; nil for none
	told    map[int]MinerNow
	counted RoundProgress

	mu      sync.Mutex // guards bus, roll and what follows against displays, which read them
	records map[int]jobstream.Changed
	at      uint64    // the sequence up to which the records are known
	granted int64     // by the last signs
	since   time.Time // when they said so
	shown   int64

	alive    time.Time // when a worker showed itself last
	producer time.Time // when a producer held the round last; zero for never
}

// NewFollow begins to follow a round. A round that does not exist is ErrNoRound.
func NewFollow(ctx context.Context, bus *jobstream.Bus, name string, now time.Time) (*Follow, error) {
	m, err := bus.Rounds.Planned(ctx, name)
	if errors.Is(err, jobstream.ErrNotFound) {
		return nil, without(ctx, bus, name)
	}
	if err != nil {
		return nil, fmt.Errorf("round %s: %w", name, err)
	}
	f := following(m, now)
	f.bus = bus
	f.Watch = NewWatch(name, f.limit, f.standing)
	if f.Watch.started, err = begun(ctx, bus, &m); err != nil {
		return nil, err
	}
	if err := f.readRest(ctx, now); err != nil {
		return nil, err
	}
	return f, f.readRecords(ctx, now)
}

// begun is when the run of a round began: when it was planned, or when the producer that replays
// it took it.
func begun(ctx context.Context, bus *jobstream.Bus, m *job.Manifest) (time.Time, error) {
	revisions, err := bus.Outcomes.Revisions(ctx, m.Round)
	if err != nil || len(revisions) == 0 {
		return m.PlannedAt, err
	}
	holder, _, err := bus.Holders.LastBeat(ctx, m.Round)
	if err != nil {
		return m.PlannedAt, fmt.Errorf("looking for the producer of round %s: %w", m.Round, err)
	}
	return later(m.PlannedAt, holder.Since), nil
}

// following is a Follow of a round of which nothing is known but the manifest.
func following(m job.Manifest, now time.Time) *Follow {
	return &Follow{
		manifest: m,
		follower: round.NewFollower(m),
		records:  map[int]jobstream.Changed{},
		retries:  map[int]time.Time{},
		told:     map[int]MinerNow{},
		alive:    now,
	}
}

// Run tells the events until the round has ended, ctx ends or tell fails. The last event is
// of the type EventEnd; Run returns its content.
func (f *Follow) Run(ctx context.Context, tell func(Event) error) (Summary, error) {
	records, rest := time.NewTicker(lookAtRecords), time.NewTicker(lookAtRest)
	defer records.Stop()
	defer rest.Stop()
	for {
		now := time.Now()
		ended, err := f.ended(ctx, now)
		if err == nil {
			err = f.tell(now, tell)
		}
		if err != nil {
			return Summary{}, err
		}
		if ended {
			return f.End(ctx, f.bus, tell)
		}
		for looked := false; !looked; {
			select {
			case <-ctx.Done():
				return Summary{}, fmt.Errorf("following round %s: %w", f.manifest.Round, context.Cause(ctx))
			case now = <-records.C:
				err = f.readRecords(ctx, now)
			case now = <-rest.C:
				looked = true
				err = f.readRest(ctx, now)
			}
			if err == nil {
				err = f.tell(now, tell)
			}
			if err != nil {
				return Summary{}, err
			}
		}
	}
}

// End tells how the round stands now, by the streams of a bus, and returns it.
func (f *Follow) End(ctx context.Context, bus *jobstream.Bus, tell func(Event) error) (Summary, error) {
	now := time.Now()
	f.mu.Lock()
	f.bus = bus
	f.mu.Unlock()
	if err := f.readRecords(ctx, now); err != nil {
		return Summary{}, err
	}
	if err := f.tell(now, tell); err != nil {
		return Summary{}, err
	}
	stands, err := f.stands(ctx, now)
	if err != nil {
		return Summary{}, fmt.Errorf("round %s: %w", f.manifest.Round, err)
	}
	if stands.State == Concluded && stands.Seconds != nil {
		f.Watch.Conclude(time.Duration(*stands.Seconds * float64(time.Second)))
	}
	return stands, tell(f.event(f.at, now, Event{Type: EventEnd, End: &stands}))
}

// stands is how the round stands now.
func (f *Follow) stands(ctx context.Context, now time.Time) (Summary, error) {
	stands, err := readStanding(ctx, f.bus, f.manifest)
	if err != nil {
		return Summary{}, err
	}
	stands.at(now)
	return (&Standings{}).counted(ctx, f.bus, stands)
}

// standing is what is wrong with NATS, if anything is.
func (f *Follow) standing() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bus.Standing()
}

// ended says whether the round has been concluded and nobody works on it any more, or has had
// no producer for longer than a standby would take. The age of a heartbeat is by the clock of
// NATS, which stored it: the clock of a viewer need not agree.
func (f *Follow) ended(ctx context.Context, now time.Time) (bool, error) {
	revisions, err := f.bus.Outcomes.Revisions(ctx, f.manifest.Round)
	if err != nil {
		return false, fmt.Errorf("listing the outcomes of round %s: %w", f.manifest.Round, err)
	}
	holder, beat, err := f.bus.Holders.LastBeat(ctx, f.manifest.Round)
	if err != nil {
		return false, fmt.Errorf("looking for the producer of round %s: %w", f.manifest.Round, err)
	}
	if !beat.IsZero() && !holder.Released && f.roll.Now.Sub(beat) <= holder.For {
		f.producer = now
		return false, nil
	}
	return len(revisions) > 0 || f.producer.IsZero() || holder.Released || now.Sub(f.producer) > takeoverTime, nil
}

// readRecords takes the records that have changed.
func (f *Follow) readRecords(ctx context.Context, now time.Time) error {
	changed, at, err := f.bus.Records.After(ctx, f.manifest.Round, f.at)
	if err != nil {
		return err
	}
	f.take(changed, at, now)
	return nil
}

// take takes records that have changed, up to a sequence.
func (f *Follow) take(changed []jobstream.Changed, at uint64, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = at
	if at < f.toldAt { // the stream was set back, and all of it is read again
		f.toldAt = 0
	}
	first := len(f.records) == 0
	for _, c := range changed {
		if c.Phase == job.Running {
			f.alive = now
		}
		if c.Failure != nil {
			f.retries[c.UID] = now.Add(c.Failure.Delay)
			// The first look sees what failed some time ago. The worker's clock says when; it
			// may be ahead of this one.
			if began := c.Failure.At; first && began.Before(now) {
				f.retries[c.UID] = began.Add(c.Failure.Delay)
			}
		}
		f.records[c.UID] = c
		f.follower.Take(c.Record, now)
	}
}

// reached is the sequence up to which the records are known.
func (f *Follow) reached() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// readRest takes the workers' signs of life, and the pause of a round. Orders that cannot be
// read count as none, until the round's producer has restored them.
func (f *Follow) readRest(ctx context.Context, now time.Time) error {
	steer, _, err := f.bus.Steering.Load(ctx)
	if err != nil && !jobstream.Damaged(err) {
		return fmt.Errorf("reading the orders: %w", err)
	}
	f.paused = steer.Round
	return f.readSigns(ctx, now)
}

// readSigns takes the workers' signs of life.
func (f *Follow) readSigns(ctx context.Context, now time.Time) error {
	roll, err := f.bus.Presence.List(ctx)
	if err != nil {
		return fmt.Errorf("reading the workers' signs of life: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.roll = roll
	for i := range f.roll.Workers {
		w := &f.roll.Workers[i]
		if _, silent := w.Silence(w.Stored, f.roll.Now); !silent && w.Left == "" {
			f.alive = now
		}
	}
	return nil
}

// tell tells what has changed since it was told last, and shows it on the watch. Whoever has
// some events of a look has all changes up to the ID of the last of them, so they come in this
// order: what jobs now wait for, which no record has; the jobs by the sequence of their
// records; the counts.
func (f *Follow) tell(now time.Time, tell func(Event) error) error {
	miners, p := f.miners(), f.follower.Progress()
	f.Watch.Update(p)
	f.Watch.See(f.sight(now))
	f.Watch.Show(miners)
	var events []Event
	for _, m := range miners {
		if f.told[m.UID] == m || f.untouched(m) {
			continue
		}
		f.told[m.UID] = m
		events = append(events, f.event(max(f.toldAt, f.records[m.UID].Sequence), now, Event{Type: EventMiner, Miner: &m}))
	}
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.ID, b.ID) })
	if counts := ProgressOf(p); counts != f.counted {
		f.counted = counts
		events = append(events, f.event(f.at, now, Event{Type: EventProgress, Progress: &counts}))
	}
	f.toldAt = f.at
	for _, e := range events {
		if err := tell(e); err != nil {
			return err
		}
	}
	return nil
}

// untouched says of a miner of whom nothing is told yet that there is nothing to tell: its job
// is in the queue as it was planned.
func (f *Follow) untouched(m MinerNow) bool {
	return f.told[m.UID] == MinerNow{} && m.Phase == job.Planned && m.Attempt == 0 && f.records[m.UID].Replay == 0
}

// event is an event of what was seen at an instant.
func (f *Follow) event(id uint64, now time.Time, e Event) Event {
	e.ID = id
	e.At = now.UTC()
	return e
}

// miners are all jobs of the round, in its order.
func (f *Follow) miners() []MinerNow {
	miners := make([]MinerNow, 0, len(f.records))
	for _, j := range f.manifest.Jobs() {
		miners = append(miners, f.miner(j.UID))
	}
	return miners
}

func (f *Follow) miner(uid int) MinerNow {
	r, known := f.records[uid]
	if !known {
		return MinerNow{UID: uid, Phase: job.Planned}
	}
	var sign *jobstream.Present
	for i := range f.roll.Workers {
		// Of several processes of one name, the last sign is of the one that has the job.
		w := &f.roll.Workers[i]
		if r.Claim != nil && w.Name == r.Claim.Worker && (sign == nil || w.Stored.After(sign.Stored)) {
			sign = w
		}
	}
	return minerNow(&r.Record, f.retries[uid], sign, f.roll.Now)
}

// sight is a pause, or whether any worker shows itself: while the round is paused no worker
// can take its jobs.
func (f *Follow) sight(now time.Time) round.Sight {
	if f.paused != nil {
		f.alive = now
		return round.Sight{Paused: f.paused}
	}
	return round.Sight{Workers: f.workers(now)}
}

// workers says whether any worker shows itself, by its signs or by its work.
func (f *Follow) workers(now time.Time) round.Workers {
	w := round.Workers{None: now.Sub(f.alive) >= job.WorkerSilent, Since: f.alive}
	for _, r := range f.records {
		if w.None && r.Phase == job.Planned && r.Refused != "" {
			w.Why = r.Refused
		}
	}
	return w
}

// Interesting orders miners for a display: first those that run, by what holds them up, then
// those that wait for a retry, then those that failed, then the queue. Those that are done
// are left out.
func Interesting(miners []MinerNow) []MinerNow {
	rank := func(m MinerNow) int {
		switch {
		case m.Phase == job.Running && m.Failures > 0:
			return 0
		case m.Phase == job.Running:
			return 1
		case m.Phase == job.Planned && m.Failures > 0:
			return 2
		case m.Phase == job.Failed:
			return 3
		}
		return 4
	}
	shown := slices.DeleteFunc(slices.Clone(miners), func(m MinerNow) bool { return m.Phase == job.Done })
	slices.SortStableFunc(shown, func(a, b MinerNow) int { return cmp.Or(rank(a)-rank(b), a.UID-b.UID) })
	return shown
}
