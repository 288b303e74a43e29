package bucket_test

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"mirrorfleet/shared/ratelimit/bucket"
)

// The parameters of the mirror: 48 slots in 10.25 s.
const (
	window   = 10 * time.Second
	jitter   = 250 * time.Millisecond
	interval = 213542 * time.Microsecond
	timeout  = 200 * time.Millisecond
	horizon  = 10 * time.Second
)

// epoch is when virtual time begins.
var epoch = time.Unix(1_700_000_000, 0)

// fleet is processes and one server in virtual time: the real Decide and the real
// Session, everything between them drawn from a seed.
type fleet struct {
	random *rand.Rand
	now    time.Duration // true time
	events events
	seq    int

	// The server: what its clock is wrong by, its run id, whether it is up.
	offset time.Duration
	run    string
	down   bool
	state  bucket.State
	older  []bucket.State // what a dump or a replica may still hold

	calm     bool          // no stalls, no crashes, no slow network
	slow     time.Duration // the longest way through the network instead; zero for the usual one
	arrivals []time.Duration
	grants   []grant
	asked    int
	calls    [2]int // those asked, by class
	late     int
	refused  int
}

func newFleet(seed uint64, processes int) *fleet {
	f := &fleet{random: rand.New(rand.NewPCG(seed, 1)), run: "first"}
	f.join(processes, class{})
	return f
}

// join starts more processes, of a class.
func (f *fleet) join(processes int, of class) {
	for range processes {
		f.after(f.upTo(time.Second), func() { f.start(of) })
	}
}

// class is what the requests of a process say of it: zero for the round.
type class struct {
	right, spacing time.Duration
	pause          time.Duration // the longest until it wants another permit; zero for at once
}

// grant is a slot that was granted, by true time.
type grant struct {
	of                   *process
	began, granted, slot time.Duration // began is when its waiter asked first
}

// request has the parameters of every process, and asks for nothing yet.
func request() bucket.Request {
	return bucket.Request{
		Interval: interval.Microseconds(), Horizon: horizon.Microseconds(), Tolerance: interval.Microseconds() / 2,
		MaxCool: (10 * time.Minute).Microseconds(),
	}
}

// runFor lets virtual time pass.
func (f *fleet) runFor(d time.Duration) {
	for until := f.now + d; ; {
		if len(f.events) == 0 || f.events[0].at > until {
			f.now = until
			return
		}
		next := heap.Pop(&f.events).(event)
		f.now = next.at
		next.do()
	}
}

// start begins a process that remembers nothing.
func (f *fleet) start(of class) { (&process{fleet: f, class: of, began: f.now}).ask() }

// process draws permits without end, as one Limiter with waiters does.
type process struct {
	*fleet
	class

	session bucket.Session
	began   time.Duration // when the waiter whose turn it is asked first
}

// number is 0 for the round, 1 for the background.
func (c class) number() int {
	if c.right > 0 {
		return 1
	}
	return 0
}

func (p *process) ask() {
	p.asked++
	p.calls[p.number()]++
	asked := p.instant()
	in := p.session.Fill(request(), asked)
	in.Reserve = true
	in.Right = p.right.Microseconds()
	in.Spacing = p.spacing.Microseconds()
	p.after(p.stall()+p.transit(), func() { p.serve(in, asked) })
}

// serve is the server's side. What the caller no longer waits for is done all
// the same.
func (p *process) serve(in bucket.Request, asked time.Time) {
	answered := false
	if !p.down {
		var reply bucket.Reply
		p.state, reply = bucket.Decide(p.state, p.run, p.clock(), in)
		if reply.Verdict == bucket.Granted {
			p.grants = append(p.grants, grant{p, p.began, p.now, p.now + time.Duration(reply.Wait)*time.Microsecond})
		}
		transit := p.transit()
		if p.instant().Add(transit).Sub(asked) < timeout {
			answered = true
			p.after(transit, func() { p.learn(reply, asked) })
		}
	}
	if !answered { // it gives up, pauses, and asks anew
		p.after(max(0, asked.Add(timeout).Sub(p.instant()))+p.upTo(500*time.Millisecond), p.ask)
	}
}

func (p *process) learn(reply bucket.Reply, asked time.Time) {
	p.session.Learn(reply, p.instant())
	if reply.Verdict != bucket.Granted {
		p.refused++
		p.after(time.Duration(reply.Wait)*time.Microsecond, p.ask)
		return
	}
	r := bucket.Reserved(reply, asked, p.instant(), jitter)
	p.after(max(0, r.From.Sub(p.instant()))+p.stall(), func() { p.use(r) })
}

// use sends the request at any moment that the permit allows, the very last one
// included, and asks again, or dies.
func (p *process) use(r bucket.Reservation) {
	if left := r.UseBy.Sub(p.instant()); left < 0 {
		p.late++
	} else {
		moments := []time.Duration{0, left, p.upTo(left), p.upTo(left)}
		p.arrivals = append(p.arrivals, p.now+moments[p.random.IntN(len(moments))])
	}
	if !p.calm && p.random.IntN(500) == 0 {
		p.after(p.upTo(5*time.Second), func() { p.start(p.class) })
		return
	}
	p.after(p.upTo(p.pause), func() {
		p.began = p.now
		p.ask()
	})
}

// stall is how long a process may hang at any point: rarely for seconds.
func (f *fleet) stall() time.Duration {
	if f.calm || f.random.IntN(200) != 0 {
		return f.upTo(time.Millisecond)
	}
	return f.upTo(3 * time.Second)
}

// transit is one way through the network.
func (f *fleet) transit() time.Duration {
	if f.slow > 0 {
		return f.upTo(f.slow)
	}
	if f.calm || f.random.IntN(50) != 0 {
		return f.upTo(2 * time.Millisecond)
	}
	return f.upTo(timeout)
}

func (f *fleet) upTo(d time.Duration) time.Duration {
	return time.Duration(f.random.Int64N(int64(d) + 1))
}

// instant is the monotonic clock of every process.
func (f *fleet) instant() time.Time { return epoch.Add(f.now) }

// clock is the server's.
func (f *fleet) clock() int64 { return f.instant().Add(f.offset).UnixMicro() }

func (f *fleet) after(d time.Duration, do func()) {
	f.seq++
	heap.Push(&f.events, event{f.now + d, f.seq, do})
}

// event is something that happens at an instant; of those at the same instant
// the one planned first comes first.
type event struct {
	at  time.Duration
	seq int
	do  func()
}

type events []event

func (e *events) Len() int      { return len(*e) }
func (e *events) Swap(i, j int) { (*e)[i], (*e)[j] = (*e)[j], (*e)[i] }
func (e *events) Less(i, j int) bool {
	a, b := (*e)[i], (*e)[j]
	return a.at < b.at || (a.at == b.at && a.seq < b.seq)
}
func (e *events) Push(x any) { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}
