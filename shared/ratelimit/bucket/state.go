package bucket

// All instants and lengths are microseconds: exact in the doubles that the script
// calculates with.
const second = 1_000_000

// Cells are the counts of recent use that a bucket keeps, CellLength the time
// that each covers: together the last five minutes.
const (
	Cells      = 30
	CellLength = 10 * second
)

// State is what the server keeps of one egress. The zero State is one that is
// missing.
type State struct {
	// Run is the run id of the server that wrote the state; [NoRun] where the
	// server does not tell.
	Run string
	// Time is the bucket's time at its last request, the highest so far. It
	// starts at the server's clock and goes on by what is known to have passed;
	// every other instant of the bucket is of this time.
	Time int64
	// Skew is what the server's clock is ahead of the bucket's time: every step
	// that it made since the bucket started.
	Skew int64
	// NextSlot is the earliest slot that is free.
	NextSlot int64
	// NextRetry is the earliest instant at which the next process that is refused is
	// told to ask again; it spreads them out.
	NextRetry int64
	// CoolUntil is the end of the cool-down, zero or past when there is none.
	CoolUntil int64
	// Epoch is when the bucket last started from an unknown state. It is also
	// the name of this life of the bucket.
	Epoch int64
	// HoldUntil is the end of a hold by hand, by the server's clock: people mean a
	// time of day. Zero or past when there is none.
	HoldUntil int64
	// HoldNote is what was said with that hold: who, and why. It decides nothing.
	HoldNote string
	// Params are those in force, and LastAsked is when a process that has them last
	// asked for a slot.
	Params    Params
	LastAsked int64
	// LastBackground is the background's last slot, zero for none since the bucket
	// started. LastRound is the round's last slot before that one: the round itself
	// writes down nothing but NextSlot. BackgroundRetry is when the last of the
	// background to be told so is to ask again.
	LastBackground, LastRound, BackgroundRetry int64

	// The rest is for inspection alone.

	Last     int64 // the slot granted last, by the server's clock
	Granted  int64 // slots granted
	Refused  int64 // requests told to come back
	Restarts int64 // starts from an unknown state, or with other parameters
	Cools    int64 // cool-downs, each counted once however many were told of it
	Use      [Cells]Cell

	GrantedBackground int64 // those of Granted that went to the background
	UseBackground     [Cells]Cell
}

// Params are what all processes of an egress must have in common. Interval is
// the least distance of two slots, Horizon the furthest ahead that a slot is
// granted; Limit requests in Window are what the mirror allows.
type Params struct {
	Interval, Horizon, Limit, Window int64
}

// Longest bounds the lengths of Params, an hour.
const Longest = 3600 * second

// MaxHold is the longest hold by hand, a day.
const MaxHold = 24 * 3600 * second

// sane tells parameters from a record that has none, or spoilt ones.
func (p Params) sane() bool {
	return p.Interval > 0 && p.Interval <= Longest && p.Horizon > 0 && p.Horizon <= Longest
}

// NoRun stands for the run id of a server that does not tell one.
const NoRun = "none"

// Cell counts the slots granted in one stretch of CellLength.
type Cell struct {
	Index int64 // which stretch: its first instant by the server's clock, divided by CellLength
	Count int64
}

// Request is what a process asks of the bucket.
type Request struct {
	// Reserve asks for a slot. Without it the request only reports a cool-down
	// or a hold.
	Reserve bool
	// The caller's Params. Slots are granted by those in force only.
	Interval, Horizon, Limit, Window int64
	// Tolerance is how far the server's clock may run ahead of what is vouched
	// for before it is taken to have stepped: the noise of a network. An
	// unnoticed step acts like as much more jitter.
	Tolerance int64
	// Cool is how long a cool-down that this process knows of still has to run,
	// zero for none; MaxCool the longest that is believed. A negative one ends the
	// cool-down that is in force: only an operator asks for that.
	Cool, MaxCool int64
	// Hold begins a hold of this length, or lengthens one; a negative one ends
	// it; zero leaves it alone. Note goes with a hold that it begins or lengthens.
	Hold int64
	Note string

	// Right makes it a request of the background, which takes what the round leaves;
	// zero is one of the round. When no slot has gone to the background for this
	// long, it has a right to the next one as if it were of the round. Spacing is the
	// least distance from the background's last slot that this caller wants, zero for
	// any.
	Right, Spacing int64

	// What the process remembers of its last answer; Epoch is zero when it has
	// had none. Elapsed is how long ago that came by its own monotonic clock.
	Epoch, NextSlot, Now, Skew, Elapsed int64
}

// Params are the caller's.
func (in Request) Params() Params { return Params{in.Interval, in.Horizon, in.Limit, in.Window} }

// Verdict is what became of a request.
type Verdict int64

// The verdicts. The numbers are the script's.
const (
	Granted Verdict = 0 // the slot Wait from now is the caller's
	Refused Verdict = 1 // no slot within the horizon: ask again after Wait
	Noted   Verdict = 2 // a request without Reserve was taken down
	Differs Verdict = 3 // the caller's parameters are not those in force: ask again after Wait
)

// Reply is the answer to a Request.
type Reply struct {
	Verdict Verdict
	Wait    int64
	// Now, Skew, NextSlot and Epoch are the bucket's, for the next request.
	Now, Skew, NextSlot, Epoch int64
	// Params are those in force, told to a caller whose own differ.
	Params Params
}

// TimeAt is the bucket's time at an instant of the server's clock, as far as the
// state alone can tell.
func (s State) TimeAt(clock int64) int64 { return max(s.Time, clock-s.Skew) }

// Recent returns the slots that lay in each CellLength of the time before an
// instant of the server's clock, oldest first, the running one last.
func (s State) Recent(clock int64) []int64 { return recent(s.Use, clock) }

// RecentBackground returns those of Recent that the background had.
func (s State) RecentBackground(clock int64) []int64 { return recent(s.UseBackground, clock) }

func recent(use [Cells]Cell, clock int64) []int64 {
	recent := make([]int64, 0, Cells-1)
	// The oldest cell may already serve slots that are granted ahead.
	for index := clock/CellLength - (Cells - 2); index <= clock/CellLength; index++ {
		var count int64
		if cell := use[index%Cells]; cell.Index == index {
			count = cell.Count
		}
		recent = append(recent, count)
	}
	return recent
}
