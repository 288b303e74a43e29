package bucket_test

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"mirrorfleet/shared/ratelimit/bucket"
)

// The figures of the mirror: 48 slots in 10.25 s.
const (
	window   = 10 * time.Second
	jitter   = 250 * time.Millisecond
	interval = 213542 * time.Microsecond
	timeout  = 200 * time.Millisecond
)

// epoch is when virtual time begins.
var epoch = time.Unix(1_700_000_000, 0)

// fleet is processes and one server in virtual time: the real Decide and the real
// Session, everything between them drawn from a seed.
type fleet struct {
	random  *rand.Rand
	now     time.Duration // true time
	events  events
	seq     int
	horizon time.Duration

	interval, tolerance time.Duration

	// The server: what its clock is wrong by, its run id, whether it is up.
	offset time.Duration
	run    string
	down   bool
	state  bucket.State
	older  []bucket.State // what a dump or a replica may still hold

	calm     bool // no stalls, no crashes, no slow network
	arrivals []time.Duration
	asked    int
	late     int
	refused  int
	batches  int         // grants of several slots
	had      map[int]int // requests sent by processes of so many waiters
}

// newFleet is one at the mirror's rate, of processes in which one request waits.
func newFleet(seed uint64, processes int, horizon time.Duration) *fleet {
	f := newServer(seed, horizon, interval, 1)
	f.join(processes, 1)

	return f
}

// newServer is one that no process asks yet.
func newServer(seed uint64, horizon, interval time.Duration, spare int) *fleet {
	return &fleet{
		random: rand.New(rand.NewPCG(seed, 1)), run: "first", had: map[int]int{},
		horizon: horizon, interval: interval, tolerance: time.Duration(spare) * interval / 2,
	}
}

// join starts processes with so many waiters each.
func (f *fleet) join(processes, waiters int) {
	for range processes {
		f.after(f.upTo(time.Second), func() { f.start(waiters) })
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
func (f *fleet) start(waiters int) { (&process{fleet: f, waiters: waiters}).ask() }

// process draws permits without end, as one Limiter with waiters does.
type process struct {
	*fleet

	waiters int // always as many: it asks for as many slots, within a Batch
	session bucket.Session
}

func (p *process) ask() {
	p.asked++
	asked := p.instant()
	in := bucket.Request{
		Reserve:  true,
		Interval: p.interval.Microseconds(), Horizon: p.horizon.Microseconds(),
		Tolerance: p.tolerance.Microseconds(),
		MaxCool:   (10 * time.Minute).Microseconds(),
	}
	in.Count = bucket.Batch(int64(p.waiters), jitter.Microseconds(), in.Figures())
	in = p.session.Fill(in, asked)
	p.after(p.stall()+p.transit(), func() { p.serve(in, asked) })
}

// serve is the server's side. What the caller no longer waits for is done all
// the same.
func (p *process) serve(in bucket.Request, asked time.Time) {
	answered := false
	if !p.down {
		var reply bucket.Reply
		p.state, reply = bucket.Decide(p.state, p.run, p.clock(), in)
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
	if reply.Verdict == bucket.Granted {
		if reply.Count > 1 {
			p.batches++
		}
		batch := make([]bucket.Reservation, reply.Count)
		for i := range batch {
			batch[i] = bucket.Reserved(reply.Slot(int64(i), p.interval.Microseconds()), asked, p.instant(), jitter)
		}
		p.await(batch)

		return
	}
	p.refused++
	p.after(time.Duration(reply.Wait)*time.Microsecond, p.ask)
}

// await uses the reservations one after another, as their waiters have the turn,
// and then asks again.
func (p *process) await(batch []bucket.Reservation) {
	if len(batch) == 0 {
		p.ask()

		return
	}
	p.after(max(0, batch[0].From.Sub(p.instant()))+p.stall(), func() { p.use(batch) })
}

// use sends the request at any moment that the permit allows, the very last one
// included, and goes on, or dies with what is left of the batch.
func (p *process) use(batch []bucket.Reservation) {
	r := batch[0]
	if left := r.UseBy.Sub(p.instant()); left < 0 {
		p.late++
	} else {
		moments := []time.Duration{0, left, p.upTo(left), p.upTo(left)}
		p.arrivals = append(p.arrivals, p.now+moments[p.random.IntN(len(moments))])
		p.had[p.waiters]++
	}
	if !p.calm && p.random.IntN(500) == 0 {
		p.after(p.upTo(5*time.Second), func() { p.start(p.waiters) })

		return
	}
	p.await(batch[1:])
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
