package ratelimit_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/bucket"
	"mirrorfleet/shared/ratelimit/windows"
)

// params makes settings of the numbers that a fuzzer draws: a limit of 3 to 102 requests
// in a window of 10 ms to a minute, a jitter of a millisecond to a whole window, and a
// spare that leaves two requests.
func params(limit, spare, window, jitter uint16) ratelimit.Config {
	cfg := ratelimit.Config{
		Limit: 3 + int(limit%100), Window: time.Duration(10+window%59_991) * time.Millisecond, Spare: ratelimit.NoSpare,
		Horizon: time.Hour, // holds a slot of any of them
	}
	cfg.Jitter = time.Millisecond + time.Duration(jitter)*(cfg.Window-time.Millisecond)/0xffff
	if spare %= uint16(cfg.Limit - 2); spare > 0 {
		cfg.Spare = int(spare)
	}
	return cfg
}

// noRedis is a client that is never used: the check of settings sends nothing.
func noRedis(tb testing.TB) *redis.Client {
	tb.Helper()
	rdb := must.Get(ratelimit.NewClient("redis://127.0.0.1:1", 0))(tb)
	tb.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// maxInWindow is what no window may exceed: L − spare.
func maxInWindow(cfg ratelimit.Config) int { return cfg.Limit - max(cfg.Spare, 0) }

// demand makes n requests in a pattern that repeats. Of each two bytes, the first is the
// time since the former request, and the second the part of the jitter that the request
// needs. Of each eight requests, those whose bit is set in background are the
// background's. The bucket is the real one.
func demand(cfg ratelimit.Config, interval int64, pattern []byte, background uint8, n int) []time.Duration {
	var (
		state   bucket.State
		session bucket.Session
		now     = time.Unix(1_700_000_000, 0)
		origin  = now
		times   []time.Duration
	)
	at := func(i int) byte { return pattern[i%len(pattern)] }
	for i := 0; len(times) < n; i++ {
		gap := at(2 * i)
		// A third of the gaps are zero. The longest have four slots.
		now = now.Add(time.Duration(max(0, int64(gap)-85)*interval*4/170) * time.Microsecond)
		in := session.Fill(bucket.Request{
			Reserve: true, Interval: interval, Horizon: 4 * interval, Tolerance: interval / 2, MaxCool: 1,
		}, now)
		if background>>(i%8)&1 > 0 {
			in.Right, in.Spacing = 4*interval, int64(i%3)*interval
		}
		var reply bucket.Reply
		state, reply = bucket.Decide(state, bucket.NoRun, now.UnixMicro(), in)
		session.Learn(reply, now)
		wait := time.Duration(reply.Wait) * time.Microsecond
		if reply.Verdict == bucket.Refused {
			now = now.Add(wait)
			continue
		}
		times = append(times, now.Sub(origin)+wait+cfg.Jitter*time.Duration(at(2*i+1))/0xff)
	}
	return times
}

// exceeded says whether any count is above a whole number of requests. The estimate is a
// float, and its last digits are noise.
func exceeded(worst windows.Counts, limit int) bool {
	return worst.Fixed > limit || worst.Sliding > limit || worst.TwoWindow > float64(limit)+1e-6
}

// patterns are ways of asking that are hard on a limit: without a break, in bursts, and
// some late with punctual ones behind them.
func patterns() map[string][]byte {
	return map[string][]byte{
		"at once":             {0, 0},
		"all late":            {0, 255},
		"late and not":        {0, 255, 0, 0},
		"late, then not":      append(bytes.Repeat([]byte{0, 255}, 60), bytes.Repeat([]byte{0, 0}, 60)...),
		"a break, then burst": append([]byte{255, 255}, bytes.Repeat([]byte{0, 0}, 9)...),
		"now and then":        {100, 7, 130, 200, 90, 31, 0, 255},
	}
}

// seeds are the first parameters: the mirror's, the edges of the allowed settings, and
// thirty drawn ones. The ordinary tests run them, and make fuzz draws more.
func seeds(f *testing.F) {
	f.Helper()
	for _, pattern := range patterns() {
		f.Add(uint16(47), uint16(1), uint16(9990), uint16(1638), uint8(0), pattern)     // 50 in 10 s, J 251 ms, spare 1
		f.Add(uint16(47), uint16(0), uint16(9990), uint16(0), uint8(0xaa), pattern)     // no spare, J 1 ms
		f.Add(uint16(0), uint16(0), uint16(0), uint16(0xffff), uint8(0xaa), pattern)    // 3 in 10 ms, J as long
		f.Add(uint16(99), uint16(99), uint16(59_990), uint16(30), uint8(0xaa), pattern) // 102 in a minute, all but 3 spared
		f.Add(uint16(97), uint16(2), uint16(990), uint16(20_000), uint8(0xaa), pattern)
	}
	random := rand.New(rand.NewPCG(6, 1))
	for range 30 {
		pattern := make([]byte, 2*(1+random.IntN(100)))
		for i := range pattern {
			// As the first byte of a pair, most of these ask at once. As the second, one
			// in three needs no jitter and one in three all of it.
			pattern[i] = byte(min(255, max(0, random.IntN(3*256)-256)))
		}
		f.Add(uint16(random.Uint32()), uint16(random.Uint32()), uint16(random.Uint32()), uint16(random.Uint32()), uint8(random.Uint32()), pattern)
	}
}

// FuzzFormulaHolds: b + r·(W+J) ≤ L − spare. So no pattern and no use of the jitter
// exceeds L − spare, by any count over any phase.
func FuzzFormulaHolds(f *testing.F) {
	seeds(f)
	rdb := noRedis(f)
	f.Fuzz(func(t *testing.T, limit, spare, window, jitter uint16, background uint8, pattern []byte) {
		if len(pattern) == 0 || len(pattern) > 4096 {
			t.Skip("nothing to ask, or for too long")
		}
		cfg := params(limit, spare, window, jitter)
		if _, err := ratelimit.New(cfg, rdb); err != nil {
			t.Fatalf("%+v is refused: %v", cfg, err)
		}
		times := demand(cfg, ratelimit.Interval(cfg), pattern, background, 4*cfg.Limit+20)
		if worst := windows.Worst(times, cfg.Window); exceeded(worst, maxInWindow(cfg)) {
			t.Errorf("%d in %v with J %v, spare %d: worst window %+v, want at most %d",
				cfg.Limit, cfg.Window, cfg.Jitter, max(cfg.Spare, 0), worst, maxInWindow(cfg))
		}
	})
}

// FuzzOneStepBeyond takes the rate of one request more, so that b + r·(W+J) = L − spare +
// 1. A search then finds a pattern that exceeds L − spare. So counters, bucket and
// patterns can see a violation, for any parameters.
func FuzzOneStepBeyond(f *testing.F) {
	seeds(f)
	rdb := noRedis(f)
	f.Fuzz(func(t *testing.T, limit, spare, window, jitter uint16, _ uint8, drawn []byte) {
		cfg := params(limit, spare, window, jitter)
		span := (cfg.Window + cfg.Jitter).Microseconds()
		interval := span / int64(maxInWindow(cfg)) // r·(W+J) = L − spare
		cfg.Rate = 1e6 / float64(interval)
		if _, err := ratelimit.New(cfg, rdb); err == nil {
			t.Errorf("%+v is accepted, want it refused with the formula", cfg)
		}
		if !searched(cfg, interval, drawn) {
			t.Errorf("%d in %v with J %v, spare %d: no way of asking exceeds %d, one step beyond the formula",
				cfg.Limit, cfg.Window, cfg.Jitter, max(cfg.Spare, 0), maxInWindow(cfg))
		}
	})
}

// searched looks for a pattern that exceeds the limit: the drawn one, the given patterns,
// and each number of late requests before punctual ones.
func searched(cfg ratelimit.Config, interval int64, drawn []byte) bool {
	try := func(pattern []byte) bool {
		return exceeded(windows.Worst(demand(cfg, interval, pattern, 0, 3*cfg.Limit), cfg.Window), maxInWindow(cfg))
	}
	if len(drawn) > 0 && len(drawn) <= 4096 && try(drawn) {
		return true
	}
	for _, pattern := range patterns() {
		if try(pattern) {
			return true
		}
	}
	// A late request and those behind it are closer than their slots. For that, as many
	// must be late as the jitter has slots.
	for late := int(cfg.Jitter.Microseconds()/interval) + 1; late <= cfg.Limit; late++ {
		if try(append(bytes.Repeat([]byte{0, 255}, late), bytes.Repeat([]byte{0, 0}, 2*cfg.Limit)...)) {
			return true
		}
	}
	return false
}

// TestFormulaIsTight: at the mirror's parameters, slots that are closer by a
// ten-thousandth make the two-window estimate exceed 49.
func TestFormulaIsTight(t *testing.T) {
	t.Parallel()
	cfg := ratelimit.Config{Limit: 50, Window: 10 * time.Second, Jitter: 250 * time.Millisecond, Spare: 1}
	interval := ratelimit.Interval(cfg)
	within, beyond := searched(cfg, interval, nil), searched(cfg, interval*9999/10_000, nil)
	if within || !beyond {
		t.Errorf("with slots %d µs apart a search exceeds 49: %v, a ten-thousandth closer: %v; want false, true", interval, within, beyond)
	}
}
