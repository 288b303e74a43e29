package bucket_test

import (
	"testing"

	"mirrorfleet/shared/ratelimit/bucket"
)

// TestClasses are scenarios of the two classes: who asks when, and what the answer is.
// A slot comes each 100 ms, the horizon is a second, one slot in four is the
// background's. The round's last slot was at -100, and the next one is at 0.
func TestClasses(t *testing.T) {
	t.Parallel()
	const (
		round      = 0
		background = -1
		half       = 200 // half is a background that takes half of the limit
	)
	type ask struct {
		at, who int
		verdict bucket.Verdict
		wait    int
	}
	for name, asks := range map[string][]ask{
		"the background has its right at first, and then each fourth slot": {
			{0, background, bucket.Granted, 0},
			{0, round, bucket.Granted, 100},
			{0, round, bucket.Granted, 200},
			// The next slot is 300, its right begins with 400: once the round has taken
			// another, which it may do at any moment; if each slot is taken in its turn, in
			// 100 ms. Idle the slot is not before 400, two slots after the round's last.
			{10, background, bucket.Refused, 150},
			{10, round, bucket.Granted, 290},
			{160, background, bucket.Granted, 240}, // the slot at 400
			{160, round, bucket.Granted, 340},
		},
		"the round's slots are its own until two slots after its last": {
			{0, background, bucket.Granted, 0},
			{0, round, bucket.Granted, 100},
			{199, background, bucket.Refused, 101},
			{299, background, bucket.Refused, 101}, // nobody has taken 200, but the round may still ask; the one before comes at 300
			{300, background, bucket.Granted, 0},
			{300, round, bucket.Granted, 100}, // behind one slot of the background
		},
		"alone, the background has each slot, one and a half ahead": {
			{500, background, bucket.Granted, 0},
			{500, background, bucket.Granted, 100},
			{500, background, bucket.Refused, 50},  // for the slot at 700
			{500, background, bucket.Refused, 150}, // after the one before
			{550, background, bucket.Granted, 150},
			{600, background, bucket.Refused, 150}, // the one at 650 comes before
			{650, background, bucket.Granted, 150},
			{750, background, bucket.Granted, 150},
		},
		"with a spacing, each second slot, also one that it must leave out others for": {
			{500, half, bucket.Granted, 0},
			{500, half, bucket.Refused, 50},
			{550, half, bucket.Granted, 150}, // 700, two after its last
			{700, half, bucket.Refused, 50},
			{750, half, bucket.Granted, 150},
		},
		"with a spacing beyond its right, the right comes with the spacing": {
			{0, 600, bucket.Granted, 0},
			{0, round, bucket.Granted, 100},
			{0, round, bucket.Granted, 200},
			{0, round, bucket.Granted, 300},
			{0, 600, bucket.Refused, 250},        // the next is 400, its right begins with 600; idle it would be from 500 on
			{0, background, bucket.Granted, 400}, // for whom four are enough
			{0, round, bucket.Granted, 500},
		},
		"a full horizon holds both off, in one line": {
			{0, round, bucket.Granted, 0}, {0, round, bucket.Granted, 100}, {0, round, bucket.Granted, 200},
			{0, round, bucket.Granted, 300}, {0, round, bucket.Granted, 400}, {0, round, bucket.Granted, 500},
			{0, round, bucket.Granted, 600}, {0, round, bucket.Granted, 700}, {0, round, bucket.Granted, 800},
			{0, round, bucket.Granted, 900}, {0, round, bucket.Granted, 1000},
			{0, round, bucket.Refused, 100},
			{0, background, bucket.Refused, 200}, // it has its right: it waits like one of the round
			{0, round, bucket.Refused, 300},
			{100, round, bucket.Granted, 1000},
			{200, background, bucket.Granted, 1000},
			{300, round, bucket.Granted, 1000},
		},
		"nobody is sent away for longer than a horizon": {
			{0, background, bucket.Granted, 0},
			{0, 3000, bucket.Refused, 1000},
			{1000, 3000, bucket.Refused, 1000},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const millisecond, start = 1000, 1_700_000_000_000_000
			in := bucket.Request{Reserve: true, Interval: 100 * millisecond, Horizon: 1000 * millisecond, Tolerance: 1e9, MaxCool: 1}
			s := bucket.State{
				Run: bucket.NoRun, Time: start - 1000*millisecond, NextSlot: start, Params: in.Params(), Epoch: 1,
				LastAsked: start - 1000*millisecond,
			}
			for i, a := range asks {
				in := in
				if a.who != round {
					in.Right, in.Spacing = 400*millisecond, int64(max(a.who, 0))*millisecond
				}
				var reply bucket.Reply
				s, reply = bucket.Decide(s, bucket.NoRun, start+int64(a.at)*millisecond, in)
				if reply.Verdict != a.verdict || reply.Wait != int64(a.wait)*millisecond {
					t.Errorf("ask %d, at %d: verdict %d, wait %.1f ms, want %d, %d ms",
						i, a.at, reply.Verdict, float64(reply.Wait)/millisecond, a.verdict, a.wait)
				}
			}
		})
	}
}

// TestAnUnknownStateForgetsTheBackground: its last slot is trusted no more than the rest.
func TestAnUnknownStateForgetsTheBackground(t *testing.T) {
	t.Parallel()
	const now = 1_700_000_000_000_000
	in := request()
	in.Reserve = true
	good := bucket.State{
		Run: "a", Time: now, NextSlot: now, Params: in.Params(), Epoch: 1, LastAsked: now, LastBackground: now - 1, LastRound: now - 2,
		BackgroundRetry: now,
	}
	for name, c := range map[string]struct {
		spoil    func(*bucket.State)
		restarts int64
	}{
		"nothing is wrong":                        {func(*bucket.State) {}, 0},
		"another run id":                          {func(s *bucket.State) { s.Run = "b" }, 1},
		"a slot of the background after the next": {func(s *bucket.State) { s.LastBackground = now + 1 }, 1},
		"a slot of the round after the next":      {func(s *bucket.State) { s.LastRound = now + 1 }, 1},
	} {
		state := good
		c.spoil(&state)
		state, _ = bucket.Decide(state, "a", now, in)
		if state.Restarts != c.restarts {
			t.Errorf("%s: %d starts from an unknown state, want %d", name, state.Restarts, c.restarts)
		}
		if c.restarts > 0 && (state.LastBackground != 0 || state.LastRound != 0 || state.BackgroundRetry != 0) {
			t.Errorf("%s: %+v keeps what it knew of the background", name, state)
		}
	}
}

// TestTheRoundsRecordIsWhatItWas: a fleet without a background leaves no word of one.
func TestTheRoundsRecordIsWhatItWas(t *testing.T) {
	t.Parallel()
	f := newFleet(1, 8)
	f.runFor(2 * horizon)
	if s := f.state; s.Granted == 0 || s.LastBackground != 0 || s.LastRound != 0 || s.BackgroundRetry != 0 || s.GrantedBackground != 0 {
		t.Errorf("the state is %+v, want slots, and nothing of a background", s)
	}
}
