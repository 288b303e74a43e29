package bucket

// All instants are microseconds of the server's clock since 1970, all lengths
// are microseconds: exact in the doubles that the script calculates with.
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
	// High is the highest time seen: the clock that decisions go by.
	High int64
	// Next is the earliest slot that is free.
	Next int64
	// Turn is the earliest instant at which the next process that is refused is
	// told to ask again; it spreads them out.
	Turn int64
	// Cool is the end of the cool-down, zero or past when there is none.
	Cool int64
	// Born is when the bucket last started from an unknown state. It is also
	// the name of this life of the bucket.
	Born int64

	// The rest is for inspection alone.

	Last     int64 // the slot granted last
	Granted  int64 // slots granted
	Refused  int64 // requests told to come back
	Restarts int64 // starts from an unknown state
	Use      [Cells]Cell
}

// NoRun stands for the run id of a server that does not tell one.
const NoRun = "none"

// Cell counts the slots granted in one stretch of CellLength.
type Cell struct {
	Index int64 // which stretch: its first instant divided by CellLength
	Count int64
}

// Request is what a process asks of the bucket.
type Request struct {
	// Reserve asks for a slot. Without it the request only reports a cool-down.
	Reserve bool
	// Interval is the least distance of two slots, Horizon the furthest ahead
	// that a slot is granted. All processes of an egress must give the same.
	Interval, Horizon int64
	// Cool is how long a cool-down that this process knows of still has to run,
	// zero for none; MaxCool the longest that is believed.
	Cool, MaxCool int64

	// What the process remembers of its last answer; Born is zero when it has
	// had none. Elapsed is how long ago it asked for that answer by its own
	// monotonic clock.
	Born, Next, Now, Elapsed int64
	// Doubt says that the same request has just been found doubtful.
	Doubt bool
}

// Verdict is what became of a request.
type Verdict int64

// The verdicts. The numbers are the script's.
const (
	Granted  Verdict = 0 // the slot is the caller's, Wait from now
	Refused  Verdict = 1 // no slot within the horizon: ask again after Wait
	Doubtful Verdict = 2 // the clock may have stepped: ask again at once
	Noted    Verdict = 3 // a request without Reserve was taken down
)

// Reply is the answer to a Request. Its instants are only ever compared with
// later answers of the same server; what the caller waits is a length.
type Reply struct {
	Verdict Verdict
	Wait    int64
	// Now is the server's clock, Next and Born are the state's.
	Now, Next, Born int64
}

// Recent returns the slots that lay in each CellLength of the time before now,
// oldest first, the running one last.
func (s State) Recent(now int64) []int64 {
	recent := make([]int64, 0, Cells-1)
	// The oldest cell may already serve slots that are granted ahead.
	for index := now/CellLength - (Cells - 2); index <= now/CellLength; index++ {
		var count int64
		if cell := s.Use[index%Cells]; cell.Index == index {
			count = cell.Count
		}
		recent = append(recent, count)
	}

	return recent
}
