package ratelimit

import (
	"context"
	"fmt"
	"sync"

	"mirrorfleet/shared/ratelimit/bucket"
)

// word is what the script says on the egress's channel when a cool-down or a hold
// is taken down, or a hold released: slots before until that were granted up to at,
// in the life of the bucket that began at born, are void. At a release, until is
// 0: those who were told to ask again later may ask now.
type word struct{ born, at, until int64 }

// channelSuffix makes an egress's channel of its key; reserve.lua has it too.
const channelSuffix = ":word"

func parseWord(payload string) (w word, err error) {
	if _, err := fmt.Sscanf(payload, "%d:%d:%d", &w.born, &w.at, &w.until); err != nil {
		return word{}, fmt.Errorf("%w: the word %.50q, want <born>:<at>:<until>", errReply, payload)
	}

	return w, nil
}

// ears hold the word that counts and tell those who wait of the next.
type ears struct {
	mu   sync.Mutex
	stop word
	// stopped and released are closed, and replaced, with each word of their kind.
	stopped, released chan struct{}
}

func newEars() ears { return ears{stopped: make(chan struct{}), released: make(chan struct{})} }

// hear takes a word. Of several stops the last counts: it is of the bucket as the
// others left it.
func (e *ears) hear(w word) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w.until == 0 {
		close(e.released)
		e.released = make(chan struct{})

		return
	}
	e.stop = w
	close(e.stopped)
	e.stopped = make(chan struct{})
}

// stops returns the stop that counts, and a channel that is closed with the next.
func (e *ears) stops() (word, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()

	return e.stop, e.stopped
}

// release returns a channel that is closed with the next release.
func (e *ears) release() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()

	return e.released
}

// voids says whether a slot is void. What was granted after the stop is not, even
// if its release was not heard.
func (w word) voids(slot bucket.Reply) bool {
	return w.born == slot.Born && slot.Now <= w.at && slot.Now+slot.Wait < w.until
}

// attend hears the words of other processes until the limiter is closed. While
// Redis is away nothing is heard; then a process that holds a reservation uses it,
// and learns of the stop with its next question.
func (l *Limiter) attend() {
	words := l.record.rdb.Subscribe(l.life, key(l.cfg.Egress)+channelSuffix)
	defer words.Close()
	defer context.AfterFunc(l.life, func() { _ = words.Close() })() // which ends the loop
	for message := range words.Channel() {
		w, err := parseWord(message.Payload)
		if err != nil {
			l.cfg.Log.WarnContext(l.life, "a word on the egress's channel is not the script's", "egress", l.cfg.Egress, "error", err)

			continue
		}
		l.ears.hear(w)
	}
}
