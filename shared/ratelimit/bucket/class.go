package bucket

// grace is for how many intervals after its slot a process of the round is taken to be
// about to ask again: two calls have that long, the answer to the last one and the
// next question.
const grace = 2

// lastRound is the last slot that the round has taken. The last slot of all is one
// interval before the next, so it was the round's unless it is the background's.
func (s State) lastRound() int64 {
	if last := s.NextSlot - s.Params.Interval; last != s.LastBackground {
		return last
	}
	return s.LastRound
}

// rightAt is from which slot on the background has its right: it stands in line with
// the round, and takes that slot like one of it.
func (s State) rightAt(in Request) int64 { return s.LastBackground + max(in.Right, in.Spacing) }

// idleAt is from when on a slot is the background's without a right: none of the round
// has had one for as long as it would take to ask again. Such slots are given one and a
// half intervals ahead, so that a process has the next one when it has used the last;
// the half lets those who were told to come back come before it.
func (s State) idleAt(slot int64, in Request) int64 {
	return max(slot-in.Interval-in.Interval/2, s.lastRound()+grace*in.Interval)
}

// yield tells a caller of the background when to ask again: when the slot would be
// idle, or when the round, if it takes each slot in its turn, has come to the one that
// is the background's by right; half an interval later than that, so that the
// process of the round that takes the last slot before it has asked. While somebody who was told before
// is still to come, the caller comes after that one, by as much as their slots lie
// apart; but nobody later than a horizon from now.
func (s State) yield(slot, idle, now int64, in Request) (State, Reply) {
	again, step := idle, max(in.Interval, in.Spacing)
	if right := max(now, slot-in.Horizon) + s.rightAt(in) - slot + in.Interval/2; right < again {
		again, step = right, max(in.Right, in.Spacing)
	}
	if s.BackgroundRetry > now {
		again = max(again, s.BackgroundRetry+step)
	}
	again = min(again, now+in.Horizon)
	s.BackgroundRetry = again
	s.Refused++
	return s, s.reply(Refused, again-now, now)
}
