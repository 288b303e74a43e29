package ratelimit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mirrorfleet/shared/broadcast"
	"mirrorfleet/shared/ratelimit/bucket"
)

// notice is what the script publishes on the egress's channel when a cool-down or a hold
// is taken down, or a hold released: slots before until that were granted up to at,
// in the life of the bucket that began at epoch, are void. At a release, until is
// 0: those who were told to ask again later may ask now.
type notice struct{ epoch, at, until int64 }

// channelSuffix makes an egress's channel of its key; reserve.lua has it too.
const channelSuffix = ":word"

func parseNotice(payload string) (n notice, err error) {
	if _, err := fmt.Sscanf(payload, "%d:%d:%d", &n.epoch, &n.at, &n.until); err != nil {
		return notice{}, fmt.Errorf("%w: the notice %.50q, want <epoch>:<at>:<until>", errReply, payload)
	}
	return n, nil
}

// listener holds the notice that counts and tells those who wait of the next.
type listener struct {
	mu   sync.Mutex
	stop notice
	// stopped and released are sent with each notice of their kind.
	stopped, released broadcast.Signal
}

// receive takes a notice. Of several stops the last counts: it is of the bucket as the
// others left it.
func (l *listener) receive(n notice) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n.until == 0 {
		l.released.Send()
		return
	}
	l.stop = n
	l.stopped.Send()
}

// stops returns the stop that counts, and a channel that is closed with the next.
func (l *listener) stops() (notice, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stop, l.stopped.Next()
}

// release returns a channel that is closed with the next release.
func (l *listener) release() <-chan struct{} { return l.released.Next() }

// voids says whether a slot is void. What was granted after the stop is not, even
// if its release was not heard.
func (n notice) voids(slot bucket.Reply) bool {
	return n.epoch == slot.Epoch && slot.Now <= n.at && slot.Now+slot.Wait < n.until
}

// listen takes the notices of other processes until the limiter is closed. While
// Redis is away none comes; then a process that holds a reservation uses it,
// and learns of the stop with its next question.
func (l *Limiter) listen() {
	notices := l.record.rdb.Subscribe(l.life, key(l.cfg.Egress)+channelSuffix)
	defer notices.Close()
	defer context.AfterFunc(l.life, func() { _ = notices.Close() })() // which ends the loop
	var told, logged time.Time
	for message := range notices.Channel() {
		n, err := parseNotice(message.Payload)
		if err == nil {
			l.listener.receive(n)
		}
		if err == nil && n.until != 0 {
			told = l.tellHold(told)
			continue
		}
		// Whoever has a worker's password may publish here, at any rate.
		if now := time.Now(); now.Sub(logged) >= loggedEvery {
			logged = now
			l.tellOther(err)
		}
		if err == nil {
			told = time.Time{}
		}
	}
}

// loggedEvery is the shortest time between two lines about notices that are no hold.
const loggedEvery = time.Second

// tellOther logs the end of a hold by hand, or a notice that could not be read.
func (l *Limiter) tellOther(err error) {
	if err != nil {
		l.cfg.Log.WarnContext(l.life, "a notice on the egress's channel is not the script's", "egress", l.cfg.Egress, "error", err)
		return
	}
	l.cfg.Log.InfoContext(l.life, "a hold or a cool-down of the egress was ended by hand", "egress", l.cfg.Egress)
}

// tellHold logs a hold by hand: no answer of the mirror tells of one. Whoever meets a cool-down
// logs it (package mirror). told is when the hold ends that was logged last, so that a cool-down
// within it does not repeat it.
func (l *Limiter) tellHold(told time.Time) time.Time {
	state, err := l.record.look(l.life)
	if err != nil || state.Hold <= 0 {
		return told // Redis is told of elsewhere
	}
	ends := time.Now().Add(state.Hold)
	if ends.Sub(told) < time.Second {
		return told
	}
	l.cfg.Log.WarnContext(l.life, "the egress is held by hand: nothing is sent until the hold ends",
		"egress", l.cfg.Egress, "for", state.Hold.Round(time.Second), "by", state.Note.By, "reason", state.Note.Why)
	return ends
}
