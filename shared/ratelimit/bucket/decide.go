package bucket

// Decide answers one request: the state, the server's run id and clock, and the
// request give the new state and the reply. The script does the same in the same
// order; change both or neither.
func Decide(s State, run string, clock int64, in Request) (State, Reply) {
	known := in.Epoch > 0 && in.Epoch == s.Epoch // the caller has seen this life of the bucket
	s, now := s.advance(clock, known, in)
	differs := in.Reserve && s.Params != in.Params()
	if s.Run != run || s.Time <= 0 || s.NextSlot <= 0 || !s.Params.sane() || s.LastAsked > now ||
		s.NextSlot > now+s.Params.Horizon+s.Params.Interval || max(s.LastBackground, s.LastRound) > s.NextSlot ||
		(known && s.NextSlot < in.NextSlot) ||
		(differs && now-s.LastAsked >= takeoverHorizons*s.Params.Horizon) {
		differs = false
		now = clock
		s = s.restart(run, now, in)
	}
	s.Time = now
	s = s.stop(now, clock, in)
	switch {
	case !in.Reserve:
		return s, s.reply(Noted, 0, now)
	case differs:
		return s.differ(now, in)
	}
	s.LastAsked = now
	slot := max(s.NextSlot, now, s.CoolUntil, now+s.HoldUntil-clock)
	if in.Right > 0 && slot < s.rightAt(in) {
		idle := max(slot, s.LastBackground+in.Spacing)
		if at := s.idleAt(idle, in); now < at {
			return s.yield(slot, at, now, in)
		}
		slot = idle
	}
	if slot-now > in.Horizon {
		return s.refuse(slot, now, in)
	}
	return s.grant(slot, now, clock, in)
}

// advance moves the bucket's time on by what the server's clock says, but by no
// more than what has passed for certain: to State.Time, or as far as a caller that knows
// the bucket vouches for by its own clock. A clock that says less or more has
// stepped, or nobody who knows the bucket has asked for a while, or a request was
// long under way, which cannot be told apart: the difference becomes skew, for
// good and for all. Slots by two different times would not keep their distance,
// so no caller's word ever moves the time past what the clock says, and what has
// become skew since a caller was answered is taken off its word.
func (s State) advance(clock int64, known bool, in Request) (State, int64) {
	vouched := s.Time
	if known {
		vouched = max(vouched, in.Now+in.Elapsed-max(0, s.Skew-in.Skew))
	}
	now := clock - s.Skew
	switch {
	case now < s.Time:
		now = s.Time
	case now > vouched+in.Tolerance:
		now = vouched
	}
	s.Skew = clock - now
	return s, now
}

// restart is the start from an unknown state, or with other parameters. A cool-down goes on
// for as long as it had to run when the state was written, if that can be told.
func (s State) restart(run string, now int64, in Request) State {
	cool := int64(0)
	if s.Time > 0 {
		cool = max(s.CoolUntil-s.Time, 0)
	}
	s.Run = run
	s.Time = now
	s.Epoch = now
	s.NextSlot = now + in.Horizon + in.Interval
	s.Skew = 0
	s.NextRetry = 0
	s.CoolUntil = now + cool
	s.Params, s.LastAsked = in.Params(), now
	s.LastBackground = 0
	s.LastRound = 0
	s.BackgroundRetry = 0
	s.Restarts++
	return s
}

// takeoverHorizons is after how many horizons without a request the processes with the
// parameters in force count as gone. After one horizon all of their slots are past, and a
// process that still waits asks again within one more.
const takeoverHorizons = 2

// stop takes down the cool-down and the hold that a request carries, or ends them. Ending
// one moves no slot: the next is still an interval after the last that was granted.
func (s State) stop(now, clock int64, in Request) State {
	if in.Cool > 0 && s.CoolUntil <= now {
		s.Cools++
	}
	if in.Cool < 0 {
		s.CoolUntil = min(s.CoolUntil, now)
	} else {
		s.CoolUntil = min(max(s.CoolUntil, now+in.Cool), now+in.MaxCool)
	}
	switch {
	case in.Hold < 0:
		s.HoldUntil, s.HoldNote = 0, ""
	case in.Hold > 0 && clock+in.Hold > s.HoldUntil:
		s.HoldUntil, s.HoldNote = clock+in.Hold, in.Note
	}
	s.HoldUntil = min(s.HoldUntil, clock+MaxHold)
	return s
}

// differ tells a caller with other parameters which are in force. Slots by two
// horizons would overlap, and by two intervals exceed what one of them allows.
// So those who were first go on, and the others take over when those are gone.
func (s State) differ(now int64, in Request) (State, Reply) {
	reply := s.reply(Differs, min(s.LastAsked+takeoverHorizons*s.Params.Horizon-now, in.Horizon), now)
	reply.Params = s.Params
	return s, reply
}

// refuse tells the caller when to ask again: when its slot comes within the
// horizon, later callers after that, and never more than a horizon from now, so
// that callers learn of changes in time.
func (s State) refuse(slot, now int64, in Request) (State, Reply) {
	again := min(max(s.NextRetry, slot-in.Horizon), now+in.Horizon)
	s.NextRetry = again + in.Interval
	s.Refused++
	return s, s.reply(Refused, again-now, now)
}

// grant gives the caller the next slot.
func (s State) grant(slot, now, clock int64, in Request) (State, Reply) {
	index := (clock + (slot - now)) / CellLength
	if in.Right > 0 {
		s.LastRound, s.LastBackground = s.lastRound(), slot
		s.GrantedBackground++
		s.UseBackground[index%Cells].count(index)
	}
	s.NextSlot = slot + in.Interval
	s.Last = clock + (slot - now)
	s.Granted++
	s.Use[index%Cells].count(index)
	return s, s.reply(Granted, slot-now, now)
}

// count is one more slot in the stretch index, which may be the cell's next.
func (c *Cell) count(index int64) {
	if c.Index != index {
		*c = Cell{Index: index}
	}
	c.Count++
}

func (s State) reply(verdict Verdict, wait, now int64) Reply {
	return Reply{
		Verdict:  verdict,
		Wait:     wait,
		Now:      now,
		Skew:     s.Skew,
		NextSlot: s.NextSlot,
		Epoch:    s.Epoch,
	}
}
