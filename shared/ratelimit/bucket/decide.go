package bucket

// StepTolerance is how far the server's clock may run ahead of a process's own
// between two answers before the process doubts it: the noise of a busy network.
// An unnoticed step acts like as much more jitter; 1 + r·(W+J+0.1 s) is 49.5 of
// 50 with the default figures, so the spare covers it.
const StepTolerance = second / 10

// DriftShare bounds the drift of two honest clocks: one part in so many. The
// kernel slews by at most 500 parts in a million, each of the two.
const DriftShare = 1000

// Decide answers one request: the state, the server's run id and clock, and the
// request give the new state and the reply. The script does the same in the same
// order; change both or neither.
func Decide(s State, run string, clock int64, in Request) (State, Reply) {
	now := max(clock, s.High)
	suspicious := s.suspicious(now, in)
	if s.High <= 0 || s.Next <= 0 || s.Run != run ||
		s.High-clock > in.Horizon ||
		s.Next > now+in.Horizon+in.Interval ||
		(in.Born > 0 && in.Born == s.Born && s.Next < in.Next) ||
		(suspicious && in.Doubt) {
		if s.High-clock > in.Horizon {
			now = clock
		}
		s = s.restart(run, now, in)
	} else if suspicious {
		return s, s.reply(Doubtful, 0, now)
	}
	s.High = now
	s.Cool = min(max(s.Cool, now+in.Cool), now+in.MaxCool)
	if !in.Reserve {
		return s, s.reply(Noted, 0, now)
	}
	slot := max(s.Next, now, s.Cool)
	if slot-now > in.Horizon {
		return s.refuse(slot, now, in)
	}

	return s.grant(slot, now, in)
}

// suspicious tells whether the clock has moved by more than the caller's own
// since the caller's last answer. An answer of another life of the bucket says
// nothing: whatever stepped then has been dealt with.
func (s State) suspicious(now int64, in Request) bool {
	return in.Born > 0 && in.Born == s.Born &&
		now-in.Now-in.Elapsed-in.Elapsed/DriftShare > StepTolerance
}

// restart is the start from an unknown state. A cool-down goes on for as long as
// it had to run when the state was written.
func (s State) restart(run string, now int64, in Request) State {
	cool := max(s.Cool-s.High, 0)
	s.Run, s.High, s.Born = run, now, now
	s.Next = now + in.Horizon + in.Interval
	s.Turn, s.Cool = 0, now+cool
	s.Restarts++

	return s
}

// refuse tells the caller when to ask again: when the slot comes within the
// horizon, later callers one interval after another, and never more than a
// horizon from now, so that what changes meanwhile is learned.
func (s State) refuse(slot, now int64, in Request) (State, Reply) {
	again := min(max(s.Turn, slot-in.Horizon), now+in.Horizon)
	s.Turn = again + in.Interval
	s.Refused++

	return s, s.reply(Refused, again-now, now)
}

func (s State) grant(slot, now int64, in Request) (State, Reply) {
	s.Next = slot + in.Interval
	s.Last = slot
	s.Granted++
	index := slot / CellLength
	cell := &s.Use[index%Cells]
	if cell.Index != index {
		*cell = Cell{Index: index}
	}
	cell.Count++

	return s, s.reply(Granted, slot-now, now)
}

func (s State) reply(verdict Verdict, wait, now int64) Reply {
	return Reply{Verdict: verdict, Wait: wait, Now: now, Next: s.Next, Born: s.Born}
}
