package ratelimit_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/bucket"
)

// TestScriptIsDecide walks the script and bucket.Decide side by side through random
// requests, clocks, run ids and damaged states. It compares the answer after each step,
// and the whole state after every tenth. The script reads its clock and its run id at one
// place each, and there it gets them as arguments.
func TestScriptIsDecide(t *testing.T) {
	t.Parallel()
	source := replaceOnce(t, ratelimit.ReserveSource, "call('TIME')", "{ ARGV[17], ARGV[18] }")
	source = replaceOnce(t, source, "redis.pcall('INFO', 'server')", "ARGV[19]")
	source = replaceOnce(t, walker, "SOURCE", source)
	for name, on := range map[string]struct {
		server func(testing.TB) *server
		calls  int // of 500 steps; the embedded one's interpreter is slow, twenty times slower with the race detector
	}{"embedded": {embedded, 40}, "redis-server": {process, 200}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWalk(7)
			script, rdb := redis.NewScript(source), patient(t, on.server(t))
			for range on.calls {
				w.compare(t, script, rdb, 500)
			}
			w.wantAll(t)
		})
	}
}

// walker takes many steps in one call. Each step has a field to spoil with its value, and
// the script's arguments.
const walker = `
local function step(KEYS, ARGV)
SOURCE
end
local out = {}
for at = 1, #ARGV, 21 do
  if ARGV[at] == 'all' then
    redis.call('DEL', KEYS[1])
  elseif ARGV[at] ~= '' then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
  end
  local args = {}
  for i = 1, 19 do args[i] = ARGV[at + 1 + i] end
  out[#out + 1] = { step(KEYS, args), #out % 10 == 9 and redis.call('HGETALL', KEYS[1]) or nil }
end
return out`

// patient returns a client that waits as long as many steps, or a busy machine, may take.
func patient(tb testing.TB, s *server) redis.UniversalClient {
	tb.Helper()
	rdb := must.Get(s.connect(time.Minute))(tb)
	tb.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// TestScriptReadsTheServersClock runs steps of the unchanged script on a Redis whose TIME
// can be set.
func TestScriptReadsTheServersClock(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	rdb := patient(t, newServer(t, "redis://"+m.Addr()))
	script := redis.NewScript(ratelimit.ReserveSource)
	w := newWalk(8)
	w.run, w.oneRun = bucket.NoRun, true
	for range 200 {
		m.SetTime(time.UnixMicro(w.clock))
		s := w.step()
		if s.spoilt != "" {
			continue // the walk goes on from a state that this Redis does not have
		}
		got := must.Get(script.Run(t.Context(), rdb, []string{"bucket"}, s.args[:arguments]...).Int64Slice())(t)
		s.wantReply(t, got)
	}
}

func replaceOnce(t *testing.T, text, from, to string) string {
	t.Helper()
	if strings.Count(text, from) != 1 {
		t.Fatalf("the script has %q %d times, want once", from, strings.Count(text, from))
	}
	return strings.Replace(text, from, to, 1)
}

// arguments is how many the script takes.
const arguments = 16

// walk is one bucket and one caller that live through random times.
type walk struct {
	random *rand.Rand
	state  bucket.State
	clock  int64
	run    string
	oneRun bool // the server stays, and its state is left alone

	session  bucket.Session
	base     time.Time // the caller's own clock is base plus mine
	mine     time.Duration
	steps    int
	verdicts [4]int
	spoilt   int
	restarts int
	holds    int

	byRight, idle, yielded int // the answers to the background's requests
}

func newWalk(seed uint64) *walk {
	return &walk{random: rand.New(rand.NewPCG(seed, seed)), clock: 1_700_000_000_000_000, run: "a", base: time.Unix(1, 0)}
}

// step is one step of a walk: the arguments of the script, and the decision of Decide.
type step struct {
	number        int
	spoilt, value string
	args          []any
	before, state bucket.State
	in            bucket.Request
	clock         int64
	reply         bucket.Reply
}

// String describes the step, for messages.
func (s step) String() string {
	return fmt.Sprintf("step %d: state %+v\nrequest %+v at %d", s.number, s.before, s.in, s.clock)
}

func (w *walk) step() step {
	s := step{number: w.steps}
	w.steps++
	if !w.oneRun && w.random.IntN(40) == 0 {
		s.spoilt, s.value = w.spoil()
	}
	in := w.request()
	s.before = w.state
	s.in = in
	s.clock = w.clock
	w.state, s.reply = bucket.Decide(w.state, w.run, w.clock, in)
	s.state = w.state
	s.args = []any{
		bit(in.Reserve), in.Interval, in.Horizon, in.Tolerance, in.Cool, in.MaxCool,
		in.Epoch, in.NextSlot, in.Now, in.Skew, in.Elapsed,
		in.Params().String(), in.Hold, in.Right, in.Spacing, in.Note,
		w.clock / 1_000_000, w.clock % 1_000_000, "# Server\r\nrun_id:" + w.run + "\r\n",
	}
	w.count(s)
	if w.random.IntN(10) != 0 { // else the answer is lost
		w.session.Learn(s.reply, w.base.Add(w.mine))
	}
	w.pass()
	return s
}

// count records which cases a step has reached.
func (w *walk) count(s step) {
	w.verdicts[s.reply.Verdict]++
	if s.reply.Verdict == bucket.Refused && s.state.HoldUntil > s.clock {
		w.holds++
	}
	if s.in.Right > 0 {
		w.countBackground(s)
	}
	w.restarts += int(s.state.Restarts - s.before.Restarts)
}

// countBackground records which of its rules has answered a request of the background.
func (w *walk) countBackground(s step) {
	switch {
	case s.reply.Verdict == bucket.Refused && s.state.BackgroundRetry != s.before.BackgroundRetry:
		w.yielded++
	case s.reply.Verdict != bucket.Granted:
	case s.state.LastBackground-s.before.LastBackground >= max(s.in.Right, s.in.Spacing):
		w.byRight++
	default:
		w.idle++
	}
}

// compare takes n steps. It checks the script's answer to each, and the state that it
// leaves behind.
func (w *walk) compare(t *testing.T, script *redis.Script, rdb redis.UniversalClient, n int) {
	t.Helper()
	steps := make([]step, n)
	var args []any
	for i := range steps {
		steps[i] = w.step()
		args = append(append(args, steps[i].spoilt, steps[i].value), steps[i].args...)
	}
	got := must.Get(script.Run(t.Context(), rdb, []string{"bucket"}, args...).Slice())(t)
	for i, s := range steps {
		pair := got[i].([]any)
		reply, err := redis.NewCmdResult(pair[0], nil).Int64Slice()
		if err != nil {
			t.Fatalf("step %d: the script answers %v: %v", s.number, pair[0], err)
		}
		s.wantReply(t, reply)
		if len(pair) == 1 {
			continue
		}
		record := map[string]string{}
		for field := range slices.Chunk(pair[1].([]any), 2) {
			record[field[0].(string)] = field[1].(string)
		}
		state := must.Get(bucket.Parse(record))(t)
		if state != s.state {
			t.Fatalf("%v: new state (-Decide +script)\n%s", s, cmp.Diff(s.state, state))
		}
	}
}

func (s step) wantReply(t *testing.T, got []int64) {
	t.Helper()
	want := []int64{int64(s.reply.Verdict), s.reply.Wait, s.reply.Now, s.reply.Skew, s.reply.NextSlot, s.reply.Epoch}
	if f := s.reply.Params; s.reply.Verdict == bucket.Differs {
		want = append(want, f.Interval, f.Horizon, f.Limit, f.Window)
	}
	if !slices.Equal(want, got) {
		t.Fatalf("%v: reply (-Decide +script)\n%s", s, cmp.Diff(want, got))
	}
}

func bit(set bool) int {
	if set {
		return 1
	}
	return 0
}

// request draws a request that a process can make, or one of a process that has forgotten
// its last answer, or remembers an answer that never was.
func (w *walk) request() bucket.Request {
	interval := int64(213_542)
	limit := int64(50)
	switch w.random.IntN(80) { // a process with other settings
	case 0:
		interval = 1000
	case 1:
		limit = 40
	}
	in := w.session.Fill(bucket.Request{
		Reserve:  w.random.IntN(20) != 0,
		Interval: interval, Horizon: 10_000_000, Tolerance: interval / 2, Limit: limit, Window: 10_000_000,
		MaxCool: 600_000_000,
	}, w.base.Add(w.mine))
	if w.random.IntN(2) == 0 {
		in.Right = interval * (1 + w.random.Int64N(8))
		in.Spacing = []int64{0, 0, interval, 2 * interval, w.random.Int64N(20 * interval)}[w.random.IntN(5)]
	}
	if w.random.IntN(200) == 0 {
		in.Cool = w.random.Int64N(1 << w.random.IntN(30))
	}
	if w.random.IntN(400) == 0 {
		in.Cool = -1
	}
	switch w.random.IntN(400) { // a hold is rare, and often ended
	case 0:
		in.Hold = w.random.Int64N(1 << w.random.IntN(38))
		in.Note = []string{"", "one", "two: :ü"}[w.random.IntN(3)]
	case 1, 2, 3, 4:
		in.Hold = -1
	}
	switch w.random.IntN(20) {
	case 0:
		in.Epoch = 0
		in.NextSlot = 0
		in.Now = 0
		in.Skew = 0
		in.Elapsed = 0
	case 1:
		in.NextSlot += w.random.Int64N(1_000_000)
	case 2:
		in.Now += w.random.Int64N(1_000_000) - 500_000
	case 3:
		in.Skew += w.random.Int64N(1_000_000) - 500_000
	}
	return in
}

// pass lets time pass on the server's clock and on the caller's. Sometimes the server's
// clock steps, and sometimes another server takes its place.
func (w *walk) pass() {
	d := w.random.Int64N([]int64{100, 300_000, 300_000, 20_000_000}[w.random.IntN(4)])
	w.clock += d
	w.mine += time.Duration(d) * time.Microsecond
	switch w.random.IntN(60) {
	case 0:
		w.clock += w.random.Int64N(4_000_000_000) - 2_000_000_000
	case 1:
		if !w.oneRun {
			w.run = fmt.Sprintf("%x", w.random.Uint32())
		}
	}
}

// spoil changes one field, or loses all of them.
func (w *walk) spoil() (field, value string) {
	w.spoilt++
	field = []string{
		"high", "skew", "next", "turn", "cool", "born", "run", "hold", "seen", "figures", "figures", "all",
		"background", "round", "background_turn",
	}[w.random.IntN(15)]
	if field == "all" {
		w.state = bucket.State{}
		return field, ""
	}
	value = []string{"0", "-5", "4000000000000000", fmt.Sprint(w.clock + w.random.Int64N(40_000_000) - 20_000_000)}[w.random.IntN(4)]
	if field == "figures" {
		f := w.state.Params
		if w.random.IntN(2) == 0 {
			f.Horizon *= 1000
		} else {
			f.Limit++
		}
		value = []string{"", f.String(), f.String() + "x"}[w.random.IntN(3)]
	}
	record := w.state.Record()
	record[field] = value
	state, err := bucket.Parse(record)
	if err != nil {
		panic(err) // every value above is a number
	}
	w.state = state
	return field, value
}

// wantAll checks that the walk has reached every case.
func (w *walk) wantAll(t *testing.T) {
	t.Helper()
	for verdict, count := range w.verdicts {
		if count < w.steps/100 {
			t.Errorf("verdict %d came %d times, want one in a hundred or the walk shows little", verdict, count)
		}
	}
	if w.spoilt < w.steps/100 || w.restarts < w.steps/100 || w.holds < w.steps/100 {
		t.Errorf("%d spoilt states, %d restarts, %d refused by a hold, want one in a hundred of each", w.spoilt, w.restarts, w.holds)
	}
	if w.byRight < w.steps/100 || w.idle < w.steps/100 || w.yielded < w.steps/100 {
		t.Errorf("the background had %d slots by right, %d idle ones, and waited %d times, want one in a hundred of each",
			w.byRight, w.idle, w.yielded)
	}
	t.Logf("%d steps, verdicts %v, %d spoilt, %d restarts, %d refused by a hold; the background: %d by right, %d idle, %d not yet",
		w.steps, w.verdicts, w.spoilt, w.restarts, w.holds, w.byRight, w.idle, w.yielded)
}
