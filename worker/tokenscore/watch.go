package tokenscore

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// watch bounds what one child may take for one pull request. Most pull requests
// end before its first look.
type watch struct {
	// before is what the child had worked when the pull request came.
	before time.Duration
	// allowed is processor time, patience wall clock.
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

// overrunError says that a child took more than it may, and was killed.
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

// end tells whether the child took more than it may. It looks once more, so that
// the verdict does not depend on when the watch last looked.
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

// check kills the child if it has taken more than it may.
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

// wait is the time until the next look. One thread takes at least that long to spend
// the processor time that is left. Several threads can spend it sooner: the next
// look finds it spent.
func (w *watch) wait(left time.Duration) time.Duration {
	return max(minWait, min(left, w.patience-time.Since(w.began)))
}

// lookLocked reads what is left of the processor time; less than nothing is an error.
func (w *watch) lookLocked(c *child) (left time.Duration, err error) {
	w.used = max(0, c.worked()-w.before)
	if left = w.allowed - w.used; left < 0 {
		return left, &overrunError{limit: w.allowed}
	}
	return left, nil
}

// cost is what the try costs a budget. One that hung costs the wall clock that it
// kept a child for, so that sleeping is no cheaper than working.
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
