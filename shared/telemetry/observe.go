package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// lookTime bounds one look at a server: the reader of the metrics waits for it.
const lookTime = time.Second

// Queue is what the streams hold.
type Queue struct {
	// Messages are the jobs that have not ended, Waiting those of them that
	// nobody has been handed yet.
	Messages, Waiting uint64
	// Oldest is when the oldest of them was published; zero without one.
	Oldest time.Time
	// Dead counts the dead letters since the fleet began.
	Dead uint64
}

// ObserveQueue has look asked whenever metrics are read, until stop is called.
// An error of look leaves the metrics out.
func ObserveQueue(look func(context.Context) (Queue, error)) (stop func()) {
	m := measure()
	return m.observe(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		queue, err := look(ctx)
		if err != nil {
			return nil // the server's absence shows in server.answers
		}
		age := time.Duration(0)
		if queue.Messages > 0 {
			age = max(0, time.Since(queue.Oldest))
		}
		o.ObserveFloat64(m.queueAge, age.Seconds())
		o.ObserveInt64(m.queueSize, int64(queue.Messages))
		o.ObserveInt64(m.queueWaiting, int64(queue.Waiting))
		o.ObserveInt64(m.deadLetters, int64(queue.Dead))
		return nil
	}, m.queueAge, m.queueSize, m.queueWaiting, m.deadLetters)
}

// ObserveConclusions has look asked whenever metrics are read, until stop is
// called: when a round was last concluded, and when a complete one; zero for
// never, which leaves the metric out, as an error does.
func ObserveConclusions(look func(context.Context) (concluded, complete time.Time, err error)) (stop func()) {
	m := measure()
	return m.observe(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		concluded, complete, err := look(ctx)
		if err != nil {
			return nil // as above
		}
		for _, of := range []struct {
			gauge metric.Float64Observable
			at    time.Time
		}{{m.roundLastConclusion, concluded}, {m.roundLastSuccess, complete}} {
			if !of.at.IsZero() {
				o.ObserveFloat64(of.gauge, float64(of.at.UnixMilli())/1000)
			}
		}
		return nil
	}, m.roundLastConclusion, m.roundLastSuccess)
}

// ObservePostponed has cause asked whenever metrics are read, until stop is
// called: which of these inputs postpones a round, "" for none.
func ObservePostponed(inputs []string, cause func() string) (stop func()) {
	m := measure()
	return m.observe(func(_ context.Context, o metric.Observer) error {
		now := cause()
		for _, input := range inputs {
			off := int64(0)
			if input == now {
				off = 1
			}
			o.ObserveInt64(m.roundPostponed, off, metric.WithAttributes(RoundInput.String(input)))
		}
		return nil
	}, m.roundPostponed)
}

// ObservePaused has look asked whenever metrics are read, until stop is called: since when
// the schedule and the round that runs are paused (PausedSchedule, PausedRound); zero for
// what is not. An error of look leaves the metric out.
func ObservePaused(look func(context.Context) (map[string]time.Time, error)) (stop func()) {
	m := measure()
	return m.observe(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		paused, err := look(ctx)
		if err != nil {
			return nil // the server's absence shows in server.answers
		}
		for what, since := range paused {
			seconds := 0.0
			if !since.IsZero() {
				seconds = max(0, time.Since(since).Seconds()) // two machines' clocks may differ
			}
			o.ObserveFloat64(m.paused, seconds, metric.WithAttributes(Paused.String(what)))
		}
		return nil
	}, m.paused)
}

// Limit is what the bucket of an egress says.
type Limit struct {
	Egress string
	// Used are the slots of the last whole ten seconds, Worst the most in ten
	// seconds of the last minutes, Allowed what the mirror allows in ten.
	Used           int64
	Worst, Allowed float64
	// CoolDown and Hold are how long it still stands still.
	CoolDown, Hold time.Duration
}

// Why an egress stands still.
const (
	PauseCoolDown = "cool_down" // the mirror asked for it
	PauseHold     = "hold"      // somebody did, by hand
)

// ObserveLimit has look asked whenever metrics are read, until stop is called.
// An error of look leaves the metrics out.
func ObserveLimit(look func(context.Context) (Limit, error)) (stop func()) {
	m := measure()
	return m.observe(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		limit, err := look(ctx)
		if err != nil {
			return nil // as above
		}
		of := Egress.String(limit.Egress)
		o.ObserveInt64(m.limitUsed, limit.Used, metric.WithAttributes(of))
		o.ObserveFloat64(m.limitWorst, limit.Worst, metric.WithAttributes(of))
		o.ObserveFloat64(m.limitAllowed, limit.Allowed, metric.WithAttributes(of))
		for why, left := range map[string]time.Duration{PauseCoolDown: limit.CoolDown, PauseHold: limit.Hold} {
			o.ObserveFloat64(m.limitPause, left.Seconds(), metric.WithAttributes(of, LimitPause.String(why)))
		}
		return nil
	}, m.limitUsed, m.limitWorst, m.limitAllowed, m.limitPause)
}

// Server is how a server is to this process.
type Server struct {
	// Works says that it does what work needs: it confirms a write, or would grant a
	// permit.
	Works bool
	// Refuses is the code of its refusal, "" where it works or does not answer.
	Refuses string
}

// ObserveServer has look asked whenever metrics are read, until stop is
// called: how the server of this kind is to the process.
func ObserveServer(kind string, look func(context.Context) Server) (stop func()) {
	m := measure()
	return m.observe(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		now := look(ctx)
		works := int64(0)
		of := ServerKind.String(kind)
		if now.Works {
			works = 1
		}
		o.ObserveInt64(m.serverAnswers, works, metric.WithAttributes(of))
		if now.Refuses != "" {
			o.ObserveInt64(m.serverRefuses, 1, metric.WithAttributes(of, ServerCode.String(now.Refuses)))
		}
		return nil
	}, m.serverAnswers, m.serverRefuses)
}

// Storage is how full a store is.
type Storage struct {
	// Of is account, or the name of a server.
	Of string
	// Used and Limit are bytes.
	Used, Limit int64
}

// storageTime bounds a look at all servers of the cluster: one that is silent is waited for
// twice, for two seconds each (jobstream.Servers).
const storageTime = 5 * time.Second

// ObserveStorage has look asked whenever metrics are read, until stop is called: the
// stores that have a limit, and how many servers are silent; below 0 if nobody knows. An
// error of look leaves the metrics out.
func ObserveStorage(look func(context.Context) (stores []Storage, silent int, err error)) (stop func()) {
	m := measure()
	return m.observe(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, storageTime)
		defer cancel()
		stores, silent, err := look(ctx)
		if err != nil {
			return nil // as above
		}
		if silent >= 0 {
			o.ObserveInt64(m.natsSilent, int64(silent))
		}
		for _, store := range stores {
			of := metric.WithAttributes(StorageOf.String(store.Of))
			o.ObserveInt64(m.storageUsed, store.Used, of)
			o.ObserveInt64(m.storageLimit, store.Limit, of)
		}
		return nil
	}, m.storageUsed, m.storageLimit, m.natsSilent)
}

// observe registers a callback; one that cannot be registered observes nothing.
func (i *instruments) observe(callback metric.Callback, what ...metric.Observable) (stop func()) {
	registration, err := i.meter.RegisterCallback(callback, what...)
	if err != nil {
		return func() {}
	}
	return func() { _ = registration.Unregister() } // it can fail only twice
}
