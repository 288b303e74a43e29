// Package broadcast wakes every goroutine that waits for an event.
//
// It never blocks, keeps no list of who waits, and has no goroutine. An event that happens
// while nobody waits is not remembered. So a waiter takes the channel first and reads the
// state afterwards, or takes both under one lock.
package broadcast

import "sync"

// Signal is an event that may happen again and again. Its zero value is ready.
type Signal struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next Send; nil while nobody has asked
}

// Next returns a channel that is closed when the event happens next.
func (s *Signal) Next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

// Send says that the event has happened.
func (s *Signal) Send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}
