package bucket

import "time"

// Session is what one process remembers of its last answer: what it can vouch for
// when it asks again. The zero Session has had no answer.
type Session struct {
	last     Reply
	answered time.Time
}

// Fill adds to a request what the session remembers; now is when it is sent.
func (s *Session) Fill(in Request, now time.Time) Request {
	in.Epoch = s.last.Epoch
	in.NextSlot = s.last.NextSlot
	in.Now = s.last.Now
	in.Skew = s.last.Skew
	if in.Epoch > 0 {
		in.Elapsed = now.Sub(s.answered).Microseconds()
	}
	return in
}

// Learn takes down an answer. What has passed is counted from when it arrived,
// so that it is never counted too long.
func (s *Session) Learn(reply Reply, answered time.Time) {
	*s = Session{last: reply, answered: answered}
}

// Another tells whether a reply is of another life of the bucket than the last
// one that the session remembers.
func (s *Session) Another(reply Reply) bool { return s.last.Epoch != 0 && s.last.Epoch != reply.Epoch }

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
