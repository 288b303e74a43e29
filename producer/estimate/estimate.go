package estimate

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// The least look-ups of a job: its pull requests once, and its issues twice. The round's
// one answer on all issues costs one request, and spares a job one look-up of issues or
// both. The estimate counts on that only if it was measured.
const (
	LookUps       = 3
	issuesLookUps = 2
)

// Size is what one miner took in a round.
type Size struct {
	// LookUps are the requests of its lists, pages and repetitions included.
	LookUps int
	// Pulls names the pull requests whose files were needed and are kept; Unkept
	// counts those whose answer cannot be kept, which every round fetches.
	Pulls  []string
	Unkept int
}

// Miner is a miner that gets a job.
type Miner struct {
	UID int
	// IssuesOnly says that its pull requests are not asked for.
	IssuesOnly bool
	// Size is what it took in the measured round; nil when that did not have it.
	Size *Size
}

// Pace is how the limit lets requests through.
type Pace struct {
	Interval time.Duration
	// Processes is how many waiting processes are served in order.
	Processes int
	From      string
}

// Worker is the capacity of one worker process, apart from permits.
type Worker struct {
	Slots    int // jobs at once
	Children int // token-scoring processes
	// Connections and Files are the product's own bounds: on requests under way in a
	// process, and on pull requests that a job fetches at once.
	Connections, Files int
	// Latency is the mirror's for one request, ScoreCPU the processor time of one
	// pull request's token scoring.
	Latency, ScoreCPU time.Duration
	From              string
}

// Input is what an estimate is made from.
type Input struct {
	Miners []Miner
	// Listed is how many miners the list has; those without a job are known
	// beforehand.
	Listed     int
	MinersFrom string
	// Round names the measured round, "" for none.
	Round string
	// PullsPerMiner is assumed of a miner without a size; below 0, the mean of the
	// measured ones is taken.
	PullsPerMiner int
	// Maintainers is how many look-ups the producer makes.
	Maintainers     int
	MaintainersFrom string
	// AllIssues is 1 if the measured round asked for the one answer on all issues.
	AllIssues int
	// Last is what the measured round took, told beside the estimate.
	Last   *Last
	Pace   Pace
	Worker Worker
}

// Count is a number and where it comes from.
type Count struct {
	Value int    `json:"value"`
	From  string `json:"from"`
}

// Length is a time and where it comes from.
type Length struct {
	Seconds float64 `json:"seconds"`
	From    string  `json:"from"`
}

// Duration is the length as Go has it.
func (l Length) Duration() time.Duration { return time.Duration(l.Seconds * float64(time.Second)) }

// Kind is a cold or a warm round.
type Kind struct {
	LookUps  Count  `json:"look_ups"`
	Files    Count  `json:"files"`
	Producer Count  `json:"producer"`
	Requests Count  `json:"requests"`
	Time     Length `json:"time"`
	// Workers is how many workers use up the limit; more would only be spares.
	Workers Count `json:"workers"`
	// TwoEgresses is the time with a second public IP, and a bucket for it.
	TwoEgresses Length `json:"time_with_two_egresses"`
}

// Estimate is what a round will take.
type Estimate struct {
	Round  string `json:"measured_round,omitempty"`
	Listed Count  `json:"miners"`
	Jobs   Count  `json:"jobs"`
	Cold   Kind   `json:"cold"`
	Warm   Kind   `json:"warm"`
	// Rate is the permits a second, Processes how many are served in order.
	Rate      float64 `json:"rate"`
	RateFrom  string  `json:"rate_from"`
	Processes Count   `json:"processes"`
	// Last is what the measured round took.
	Last *Last `json:"last_round,omitempty"`
}

// Last is what a round took, as it was measured.
type Last struct {
	Round    string `json:"round"`
	Requests int    `json:"requests"`
	Cached   int    `json:"cached"`
	// Seconds is 0 when the round was replayed since.
	Seconds float64 `json:"seconds,omitempty"`
}

// ErrInput says that an input is out of bounds.
var ErrInput = errors.New("the estimate's input is refused")

// Of estimates a round.
func Of(in Input) (Estimate, error) {
	if err := in.check(); err != nil {
		return Estimate{}, err
	}
	s := in.sum()
	e := Estimate{
		Round:     in.Round,
		Listed:    Count{in.Listed, in.MinersFrom},
		Jobs:      Count{len(in.Miners), "miners that no rule fails before anything is loaded"},
		Rate:      1 / in.Pace.Interval.Seconds(),
		RateFrom:  in.Pace.From,
		Processes: Count{in.Pace.Processes, "slots in the horizon"},
		Last:      in.Last,
	}
	e.Cold = in.kind(s, s.kept+s.unkept, s.filesFrom)
	e.Warm = in.kind(s, s.unkept, "all others are in the score cache")
	return e, nil
}

func (in Input) check() error {
	switch w := in.Worker; {
	case in.Pace.Interval <= 0:
		return fmt.Errorf("%w: Pace.Interval is %s, want more than 0", ErrInput, in.Pace.Interval)
	case w.Slots < 1 || w.Children < 1 || w.Connections < 1 || w.Files < 1:
		return fmt.Errorf("%w: Worker has %d slots, %d children, %d connections, %d files, want at least 1 of each",
			ErrInput, w.Slots, w.Children, w.Connections, w.Files)
	case w.Latency < 0 || w.ScoreCPU < 0:
		return fmt.Errorf("%w: Worker has latency %s and scoring time %s, want 0 or more", ErrInput, w.Latency, w.ScoreCPU)
	}
	return nil
}

// kind estimates a round that fetches the files of so many pull requests.
func (in Input) kind(s sum, files int, filesFrom string) Kind {
	k := Kind{
		LookUps:  Count{s.lookUps, s.lookUpsFrom},
		Files:    Count{files, filesFrom},
		Producer: Count{in.Maintainers + 1, in.MaintainersFrom + ", and the mirror's health once"},
	}
	if in.AllIssues > 0 {
		k.Producer = Count{k.Producer.Value + in.AllIssues, in.MaintainersFrom + ", the mirror's health and all issues once each"}
	}
	k.Requests = Count{k.LookUps.Value + files + k.Producer.Value, "the sum"}
	k.Time = Length{in.takes(k.Requests.Value).Seconds(), "requests at the limit"}
	half := (k.Requests.Value + 1) / 2
	k.TwoEgresses = Length{in.takes(half).Seconds(), "half of the requests each, if the second is another public IP"}
	k.Workers = Count{in.workers(s.lookUps, files), in.Worker.From}
	return k
}

// takes is the time from the first permit to the last.
func (in Input) takes(requests int) time.Duration {
	return time.Duration(max(requests-1, 0)) * in.Pace.Interval
}

// workers is how many such processes send as many requests as the limit lets through. Each
// is bounded by its slots, its connections and its children.
func (in Input) workers(lookUps, files int) int {
	jobs, w := float64(len(in.Miners)), in.Worker
	requests := float64(lookUps + files)
	if jobs == 0 || requests == 0 {
		return 0
	}
	latency, cpu := w.Latency.Seconds(), w.ScoreCPU.Seconds()
	perJob := float64(files) / jobs
	// The look-ups of a job are made one after the other, its files side by side.
	jobTime := float64(lookUps)/jobs*latency + math.Ceil(perJob/float64(w.Files))*latency + perJob*cpu/float64(w.Children)
	rate := math.Inf(1)
	bound := func(work, each float64) {
		if each > 0 {
			rate = min(rate, work/each)
		}
	}
	bound(float64(w.Slots)*requests/jobs, jobTime)
	bound(float64(w.Connections), latency)
	bound(float64(w.Children)*requests, float64(files)*cpu)
	return max(1, int(math.Ceil(1/in.Pace.Interval.Seconds()/rate)))
}
