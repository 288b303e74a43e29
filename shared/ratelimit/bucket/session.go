package bucket

import "time"

// Session is what one process remembers of its last answer, so that it notices
// a bucket that lost its state or a server whose clock stepped. The zero Session
// has had no answer. A process has one request under way at a time.
type Session struct {
	born, next, now int64
	asked           time.Time
	doubt           bool
}

// Fill adds to a request what the session remembers; now is when it is sent.
func (s *Session) Fill(in Request, now time.Time) Request {
	in.Born, in.Next, in.Now, in.Doubt = s.born, s.next, s.now, s.doubt
	if s.born > 0 {
		in.Elapsed = now.Sub(s.asked).Microseconds()
	}

	return in
}

// Learn takes down an answer to a request that was sent at asked. A doubtful one
// only raises the doubt: what is compared stays the last answer that was sound.
func (s *Session) Learn(reply Reply, asked time.Time) {
	if reply.Verdict == Doubtful {
		s.doubt = true

		return
	}
	s.born, s.next, s.now = reply.Born, reply.Next, reply.Now
	s.asked, s.doubt = asked, false
}

// Reservation is the right to send one request between two instants of the
// process's own monotonic clock.
type Reservation struct {
	From, UseBy time.Time
}

// Reserved turns a granted answer into a reservation. The server decided at some
// moment between asked and answered. Counting the wait from the later, the
// request cannot leave before its slot; counting the use-by from the earlier, it
// cannot leave more than the jitter after it. A round trip longer than the
// jitter leaves nothing between the two.
func Reserved(reply Reply, asked, answered time.Time, jitter time.Duration) Reservation {
	wait := time.Duration(reply.Wait) * time.Microsecond

	return Reservation{From: answered.Add(wait), UseBy: asked.Add(wait + jitter)}
}
