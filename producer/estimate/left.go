package estimate

import "time"

// Work is the work that a running round still has to do, as far as its jobs have told.
type Work struct {
	// Told is how many requests the running jobs still need by their last words,
	// and ToldAt when these were spoken, on average; zero without any.
	Told   int
	ToldAt time.Time
	// Untold is the same for the jobs that have not begun, or do not know their
	// lists yet: what a former attempt has told, else the mean of those that do.
	Untold int
	// Known says that at least one job has told, so that there is a mean.
	Known bool
	// LastRetry is when the last of the jobs that wait for another attempt gets it,
	// zero without any, and RetryNeeds how many requests that one takes.
	LastRetry  time.Time
	RetryNeeds int
}

// longest bounds each part of an estimate: beyond it a number says no more, and the sum
// of two must be a time.
const longest = 1000 * time.Hour

// Left is how long the work takes from now on: first nothing is sent for the time
// of the rest, then requests go at the meter's pace, and no job that waits for
// another attempt ends before it has had it. False while nothing is known.
func (w Work) Left(now time.Time, m *Meter, rest time.Duration) (time.Duration, bool) {
	pace := m.Pace()
	if !w.Known || pace <= 0 {
		return 0, false
	}
	takes := func(requests int) time.Duration {
		return time.Duration(min(float64(max(requests, 0))/pace, longest.Seconds()) * float64(time.Second))
	}
	requests := w.Untold
	if !w.ToldAt.IsZero() {
		requests += max(0, w.Told-m.Since(w.ToldAt)) // what was granted since was theirs
	}
	left := min(rest, longest) + takes(requests)
	if !w.LastRetry.IsZero() {
		left = max(left, min(max(rest, w.LastRetry.Sub(now)), longest)+takes(w.RetryNeeds))
	}
	return left, true
}
