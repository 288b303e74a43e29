package job

import "time"

// Claim is one worker's right to run a job and to change its record.
type Claim struct {
	// ID is unique to the claim: the fence.
	ID     string    `json:"id"`
	Worker string    `json:"worker"`
	Since  time.Time `json:"since"`
	// Sequence is the message's place in the stream: a message published
	// again has a later one, and its deliveries are counted from 1 anew.
	Sequence uint64 `json:"sequence"`
	// Delivery is the stream's count of hand-outs of this message.
	Delivery uint64 `json:"delivery"`
	// Replay is the job's: a claim counts only for the record's own replay.
	Replay int `json:"replay,omitempty"`
	// For is how long a claim without heartbeats keeps the job: the worker's lease. 0
	// means the lease that the server has now.
	For time.Duration `json:"for,omitempty"`
	// Beat counts the heartbeats, so that each one changes the record. A reader measures
	// the time since the last change by its own clock: the clocks of two machines need
	// not agree.
	Beat int `json:"beat,omitempty"`
	// Stall is why the attempt was waiting at the last heartbeat; nil if it was not.
	Stall *Stall `json:"stall,omitempty"`
}

// SignsPerLease is how many heartbeats a running attempt sends in the time of its lease.
const SignsPerLease = 6

// Stall is why a worker's jobs wait: the mirror does not answer it.
type Stall struct {
	Why string `json:"why"`
	// For is how long the worker waits before it asks the mirror again. It is a duration
	// and no instant, because the clocks of two machines need not agree.
	For time.Duration `json:"for"`
}

// Sign is the content of a heartbeat.
type Sign struct {
	// Left is how many requests the attempt still needs; below 0 for unknown.
	Left  int
	Stall *Stall
}

// after says whether c was handed out later than former: a later message, or
// a later delivery of the same one.
func (c Claim) after(former Claim) bool {
	if c.Sequence != former.Sequence {
		return c.Sequence > former.Sequence
	}
	return c.Delivery > former.Delivery
}
