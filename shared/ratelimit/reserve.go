package ratelimit

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"mirrorfleet/shared/ratelimit/bucket"
)

// The pauses between calls to a Redis that does not answer: doubled from the
// first to the longest, each shortened by up to half at random so that a fleet
// does not return as one. With the longest and a call's timeout a process is back
// within a second of Redis' return.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 500 * time.Millisecond
)

// reservation is one that this process holds, until a cool-down closes void or
// a notice of another process makes its slot void.
type reservation struct {
	bucket.Reservation

	slot bucket.Reply
	void <-chan struct{}
}

// reservation returns the reservation that a waiter left, if it can still be used,
// or makes a new one. It waits until there is one: after a refusal for as long as the
// bucket says, after an error of Redis with pauses. The caller holds the turn.
func (l *Limiter) reservation(ctx context.Context, who caller) (reservation, error) {
	if left := who.left; left != nil {
		who.left = nil
		if l.usable(ctx, who.class, *left, time.Now()) {
			return *left, nil
		}
	}
	pause := firstPause
	for {
		if ctx.Err() != nil {
			return reservation{}, ended(ctx)
		}
		granted, wait, err := l.reserve(ctx, who)
		if granted != nil {
			return *granted, nil
		}
		if err == nil {
			pause = firstPause
		} else {
			wait = pause/2 + rand.N(pause/2)
			pause = min(2*pause, longestPause)
		}
		if err := l.rest(ctx, wait); err != nil {
			return reservation{}, err
		}
	}
}

// reserve asks once. Without a grant it returns how long to wait before asking
// again. A stop that began while the answer was under way voids it as well.
func (l *Limiter) reserve(ctx context.Context, who caller) (granted *reservation, wait time.Duration, err error) {
	void := l.cool.watch()
	asked := time.Now()
	cool := l.cool.unwritten()
	in := l.cfg.request()
	in.Reserve = true
	in.Right = who.right
	in.Spacing = who.spacing
	in.Cool = max(0, cool.Sub(asked).Microseconds())
	reply, err := l.ask(ctx, l.session.fill(in, asked))
	answered := time.Now()
	if err != nil {
		if ctx.Err() == nil { // else the caller went, and nothing is known of Redis
			l.health.lost(ctx, answered, err)
		}
		return nil, 0, err
	}
	l.health.back(ctx, answered)
	l.learn(ctx, reply, answered)
	l.cool.written(cool)
	if reply.Verdict != bucket.Granted {
		who.count.refused.add(ctx)
		return nil, time.Duration(reply.Wait) * time.Microsecond, nil
	}
	return &reservation{bucket.Reserved(reply, asked, answered, l.cfg.Jitter), reply, void}, 0, nil
}

// learn takes down what an answer tells of the bucket beside its verdict.
func (l *Limiter) learn(ctx context.Context, reply bucket.Reply, answered time.Time) {
	if l.session.learn(reply, answered) {
		l.count.lostStates.add(ctx)
	}
	l.mismatch.heard(ctx, reply)
}

// session guards what the process remembers of the bucket: a cool-down vouches
// by it beside the waiter that has the turn.
type session struct {
	mu   sync.Mutex
	last bucket.Session
}

func (s *session) fill(in bucket.Request, now time.Time) bucket.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.Fill(in, now)
}

// learn tells whether the answer is of another life of the bucket than the last.
func (s *session) learn(reply bucket.Reply, answered time.Time) (another bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	another = s.last.Another(reply)
	s.last.Learn(reply, answered)
	return another
}

// rest waits for d, for the release of a hold, or for the end of the context.
func (l *Limiter) rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ended(ctx)
	case <-timer.C:
	case <-l.listener.release():
	}
	return nil
}
