package mirrorsim

import (
	"math/rand/v2"
	"net/url"
	"strings"
	"time"
)

// Counter is the limit's decision, for tests of it alone.
type Counter = counter

// NewCounter makes a counter with given phases.
func NewCounter(limit int, window, mitigation, fixedPhase, estimatePhase time.Duration) *Counter {
	return newCounter(limit, window, mitigation, fixedPhase, estimatePhase)
}

// Admit is the decision: whether it was refused, until when, and by what.
func (c *counter) Admit(now time.Duration) (refused bool, retry time.Duration, by string) {
	v := c.admit(now)
	return v.refused, v.retry, v.by
}

// Draw is one draw of a latency.
func (l Latency) Draw(rng *rand.Rand) time.Duration { return l.draw(rng) }

// Page pages through n items as the query asks, and returns the numbers of
// the items of the page.
func Page(query url.Values, n int, list string) (numbers []int, next string, err error) {
	items := make([]item, n)
	for i := range items {
		items[i].number = i
	}
	asked, err := parsePaging(query)
	if err != nil {
		return nil, "", err
	}
	page, next, err := asked.page(items, list)
	for _, it := range page {
		numbers = append(numbers, it.number)
	}
	return numbers, next, err
}

// Dump is all that a world of answers in memory answers, in one text.
func Dump(w *World) string {
	var all strings.Builder
	for _, lists := range []map[string][]item{w.pulls, w.issues, w.openIssues} {
		for _, list := range lists {
			for _, it := range list {
				all.Write(it.raw)
			}
		}
	}
	for _, answer := range w.files {
		all.Write(answer)
	}
	return all.String()
}

// Unasked is how many connections have carried no request yet.
func (s *Server) Unasked() int {
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	n := 0
	for _, known := range s.conns.alive {
		if !known.asked {
			n++
		}
	}
	return n
}
