package job

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/doing"
)

// How often a process shows a sign of life, and after how long without one a reader takes it
// for silent: four signs may be lost. Producers do the same as workers.
const (
	WorkerSignEvery = 3 * time.Second
	WorkerSilent    = 5 * WorkerSignEvery
)

// WorkerKept is how long the last sign of a process is kept.
const WorkerKept = 24 * time.Hour

// Worker is a sign of life of one worker process. It is for show: nothing depends on it.
// Its instants are of the worker's own clock, so a reader uses only their differences.
type Worker struct { //nolint:recvcheck // it is large, and encoded by value as all wire types are
	Version int `json:"version"`
	// Name is that of the records; two processes may have the same one.
	Name string `json:"name"`
	// Build is the version of the program.
	Build  string `json:"build"`
	Host   string `json:"host"`
	Egress string `json:"egress"`
	// Addresses are the public addresses that the process sends from, if it has asked for them.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	Slots     int          `json:"slots"`
	// Started is when the process began to take jobs, At when it made this sign.
	Started time.Time `json:"started"`
	At      time.Time `json:"at"`
	// Jobs are the jobs that the process has, and the miners of a warm-up that it works on.
	Jobs []WorkerJob `json:"jobs,omitempty"`
	// Permits counts the permits that the process had within the time Of, which is a minute
	// or, in a young process, less. Share is how much of its egress's limit that was.
	Permits int64         `json:"permits"`
	Of      time.Duration `json:"of"`
	Share   float64       `json:"share"`
	// Limit is what the process knows of its egress.
	Limit WorkerLimit `json:"limit"`
	// Left is the last word of a process that has ended; "" while it runs.
	Left string `json:"left,omitempty"`
}

// WorkerJob is one job that a worker has.
type WorkerJob struct {
	// Round is the name of the round, or of the warm-up.
	Round  string    `json:"round"`
	UID    int       `json:"uid"`
	WarmUp bool      `json:"warm_up,omitempty"`
	Since  time.Time `json:"since"`
	// Requests counts the requests of this attempt.
	Requests int         `json:"requests"`
	Doing    doing.State `json:"doing,omitzero"`
}

// WorkerLimit is the bucket of an egress as a worker sees it. A viewer has no access to Redis
// and knows the limit from here.
type WorkerLimit struct {
	// Known says that the bucket could be read.
	Known bool `json:"known,omitempty"`
	// Granted counts the permits of all processes of the egress since the bucket began.
	Granted int64 `json:"granted,omitempty"`
	// Rate is in permits a second; Limit requests in Window are what the mirror allows.
	Rate   float64       `json:"rate,omitempty"`
	Limit  int           `json:"limit,omitempty"`
	Window time.Duration `json:"window,omitempty"`
	// CoolDown and Hold are how long the egress still stands still.
	CoolDown time.Duration `json:"cool_down,omitempty"`
	Hold     time.Duration `json:"hold,omitempty"`
	// Trouble is why Redis grants nothing; "" while it does.
	Trouble string `json:"trouble,omitempty"`
}

// Bounds of a sign. No worker comes near them.
const (
	maxWorkerName = 200 // characters
	maxWorkerText = 400
	maxWorkerJobs = 256
	maxAddresses  = 4 // one of each family, and some to spare
)

// Encode returns the wire form.
func (w Worker) Encode() ([]byte, error) {
	w = w.bounded()
	w.Version = Version
	data, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encoding the sign of worker %s: %w", w.Name, err)
	}
	return data, nil
}

// DecodeWorker reads a Worker's wire form. Values are cut to their bounds: a worker
// that writes signs must not be able to fill a reader's memory or page.
func DecodeWorker(data []byte) (Worker, error) {
	var w Worker
	if err := json.Unmarshal(data, &w); err != nil {
		return Worker{}, fmt.Errorf("reading a worker's sign: %w", err)
	}
	if err := Readable(w.Version); err != nil {
		return Worker{}, fmt.Errorf("worker's sign of %w", err)
	}
	return w.bounded(), nil
}

func (w Worker) bounded() Worker {
	w.Name, w.Build = bounded.Line(w.Name, maxWorkerName), bounded.Line(w.Build, maxWorkerName)
	w.Host, w.Egress = bounded.Line(w.Host, maxWorkerName), bounded.Line(w.Egress, maxWorkerName)
	w.Left = bounded.Line(w.Left, maxWorkerText)
	// The zone of an address is free text, and no public address has one.
	w.Addresses = slices.DeleteFunc(slices.Clone(w.Addresses[:min(len(w.Addresses), maxAddresses)]),
		func(a netip.Addr) bool { return !a.IsValid() || a.Zone() != "" })
	w.Slots = min(max(w.Slots, 0), maxRequests)
	w.Permits = min(max(w.Permits, 0), maxRequests)
	w.Of = wait(w.Of)
	w.Share = min(max(w.Share, 0), maxShare)
	w.Limit = w.Limit.bounded()
	jobs := make([]WorkerJob, 0, min(len(w.Jobs), maxWorkerJobs))
	for _, j := range w.Jobs[:min(len(w.Jobs), maxWorkerJobs)] {
		if ValidRound(j.Round) && j.UID >= 0 {
			jobs = append(jobs, j.bounded())
		}
	}
	w.Jobs = jobs
	return w
}

// maxShare is far above the share of any process that keeps to the limit, which is 1.
const maxShare = 100

func (j WorkerJob) bounded() WorkerJob {
	j.Requests = min(max(j.Requests, 0), maxRequests)
	d := &j.Doing
	d.What, d.Waits = bounded.Line(d.What, maxWorkerText), bounded.Line(d.Waits, maxWorkerName)
	d.Why = bounded.Line(d.Why, maxWorkerText)
	d.Place = min(max(d.Place, 0), maxRequests)
	d.For = wait(d.For)
	return j
}

func (l WorkerLimit) bounded() WorkerLimit {
	l.Trouble = bounded.Line(l.Trouble, maxWorkerText)
	l.Granted = max(l.Granted, 0)
	l.Rate = min(max(l.Rate, 0), maxRequests)
	l.Limit = min(max(l.Limit, 0), maxRequests)
	l.Window = wait(l.Window)
	l.CoolDown, l.Hold = wait(l.CoolDown), wait(l.Hold)
	return l
}

// Silence is how long a worker has shown no sign of life, and whether that is too long. Both
// instants are of the server's clock: when the last sign was stored, and now. A worker that
// has left is not silent.
func (w *Worker) Silence(stored, now time.Time) (silence time.Duration, silent bool) {
	return silenceOf(w.Left, stored, now)
}

func silenceOf(left string, stored, now time.Time) (silence time.Duration, silent bool) {
	silence = max(0, now.Sub(stored))
	return silence, left == "" && silence >= WorkerSilent
}

// Ago is how long before its last sign something was, by the worker's own clock.
func (w *Worker) Ago(since time.Time) time.Duration { return ago(since, w.At) }

func ago(since, at time.Time) time.Duration {
	if since.IsZero() {
		return 0
	}
	return max(0, at.Sub(since))
}
