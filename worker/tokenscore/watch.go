package tokenscore

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// watch bounds one child's processor time and wall-clock time for one pull request. Most
// pull requests end before its first look.
type watch struct {
	// before is the child's processor time when the pull request came.
	before time.Duration
	// allowed is the limit of processor time, patience that of wall-clock time.
	allowed, patience time.Duration

	mu      sync.Mutex
	next    *time.Timer // of the next look
	began   time.Time
	used    time.Duration // processor time, as last read
	overrun error         // why the child was killed
	ended   bool
}

// minWait is the least time between two looks at a child's processor time.
const minWait = 10 * time.Millisecond

// overrunError says that a child exceeded a limit, and was killed.
type overrunError struct {
	hung  bool
	limit time.Duration
}

func (e *overrunError) Error() string {
	if e.hung {
		return fmt.Sprintf("it did not end within %v", e.limit)
	}
	return fmt.Sprintf("it took more than %v of processor time", e.limit)
}

func isOverrun(err error) bool {
	_, overrun := errors.AsType[*overrunError](err)
	return overrun
}

// begin watches a child until end.
func (w *watch) begin(c *child) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began = time.Now()
	w.next = time.AfterFunc(w.wait(w.allowed), func() { w.check(c) })
}

// end says whether the child exceeded a limit. It looks once more, so that the result does
// not depend on the time of the last look.
func (w *watch) end(c *child) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.next.Stop() // or else check finds that it has ended
	if w.overrun == nil {
		_, w.overrun = w.lookLocked(c)
	}
	return w.overrun
}

// check kills the child if it has exceeded a limit.
func (w *watch) check(c *child) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	left, err := w.lookLocked(c)
	if err == nil && time.Since(w.began) >= w.patience {
		err = &overrunError{hung: true, limit: w.patience}
	}
	if err == nil {
		w.next.Reset(w.wait(left))
		return
	}
	w.overrun = err
	c.signalKill()
}

// wait is the time until the next look. A single thread needs at least that long to use the
// remaining processor time. Several threads can use it sooner: the next look then finds it
// used.
func (w *watch) wait(left time.Duration) time.Duration {
	return max(minWait, min(left, w.patience-time.Since(w.began)))
}

// lookLocked reads the remaining processor time. It is an error if less than nothing is
// left.
func (w *watch) lookLocked(c *child) (left time.Duration, err error) {
	w.used = max(0, c.worked()-w.before)
	if left = w.allowed - w.used; left < 0 {
		return left, &overrunError{limit: w.allowed}
	}
	return left, nil
}

// cost is the part of a shared budget that the try has used. A try that hung costs the
// wall-clock time for which it blocked a child, so that sleeping is no cheaper than working.
func (w *watch) cost(c *child, lacks error) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if lacks == nil {
		return w.used
	}
	_, _ = w.lookLocked(c) // what it took until it was killed
	if overrun, is := errors.AsType[*overrunError](lacks); is && overrun.hung {
		return max(w.patience, w.used)
	}
	return w.used
}
