package job

import "time"

// Claim is one worker's hold on a job.
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
	// For is how long a silent claim keeps the job: the worker's lease; 0 for the
	// one that is in force.
	For time.Duration `json:"for,omitempty"`
	// Beat counts the signs of life, so that each is another record. A clock of
	// the reader's own tells how long one has stayed away: no two machines' clocks
	// have to agree.
	Beat int `json:"beat,omitempty"`
	// Stall is why the attempt stood still at the last sign of life; nil if it did
	// not.
	Stall *Stall `json:"stall,omitempty"`
}

// SignsPerLease is how many signs of life a running attempt shows in the time of
// its lease.
const SignsPerLease = 6

// Stall is why a worker's jobs stand still: the mirror does not answer it.
type Stall struct {
	Why string `json:"why"`
	// For is how long the worker waits before it asks the mirror again. No
	// machine's clock has to agree with another's.
	For time.Duration `json:"for"`
}

// Sign is what a sign of life tells.
type Sign struct {
	// Left is how many requests the attempt still needs; below 0 while that is not
	// known.
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
