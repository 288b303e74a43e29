package dashboard

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
)

// liveRegions are the parts of a running round's page that are replaced by themselves: the
// template, which has the element of that id, and how often at most it is rendered. The
// timeline of a large round is tens of kilobytes.
var liveRegions = []struct { //nolint:gochecknoglobals // a table
	id    string
	every time.Duration
}{
	{"region-head", 0},
	{"region-progress", 0},
	{"region-limit", 2 * time.Second},
	{"region-jobs", 0},
	{"region-timeline", 5 * time.Second},
	{"region-workers", 2 * time.Second},
	{"region-failures", 0},
}

// runningBody is the page of a round that runs.
type runningBody struct {
	Head  roundHead
	Title string
	// Now is the instant to which ages are told.
	Now     time.Time
	Started time.Time
	// Left is the time that is left, LeftNote what it depends on; "" for nothing.
	Left, LeftNote string
	Counts         view.RoundProgress
	// Requests are those of all attempts that have ended, of earlier runs too.
	Requests int
	Percent  string
	Share    float64
	Uses     []limitUse
	Away     string
	Jobs     []jobRow
	Queue    queue
	Chart    timelineChart
	Workers  []workerRow
}

// jobRow is a miner's job that runs, or waits for another attempt.
type jobRow struct {
	view.MinerNow

	Stand  string // running or queued
	Doing  string
	Link   string // to what it waits for; "" for no page of it
	GitHub bool   // the link leads there
}

// queue are the jobs that wait for a worker for the first time.
type queue struct {
	Count int
	UIDs  []int
}

// running is the page of a round that runs. It shows what its updates are made of.
func (d *Dashboard) running(r *http.Request, name string) (page, error) {
	s, err := d.shows.enter(r.Context(), name)
	if err != nil {
		return page{}, err
	}
	defer s.leave()
	seen, version := s.latest()
	body := d.runningBody(seen, d.cfg.Now())
	return page{
		Template: "running",
		Title:    body.Title,
		Nav:      "Rounds",
		JSON:     "/api/v1/rounds/" + name,
		Live:     "/live/rounds/" + name,
		Version:  s.tag(version),
		Body:     body,
	}, nil
}

// runningBody is what the page of a round shows that was seen.
func (d *Dashboard) runningBody(s *seen, now time.Time) *runningBody {
	p := view.ProgressOf(s.Moment.Progress)
	head := d.headOf(&s.Stands)
	head.Paused = s.Moment.Sight.Paused != nil && s.Moment.Sight.Paused.Round == s.Stands.Round
	for _, text := range s.Moment.Notes() {
		head.Notices = append(head.Notices, notice{"warn", "", text})
	}
	b := &runningBody{
		Head:     head,
		Title:    fmt.Sprintf("%d/%d · Round %s", p.Done+p.Failed, p.Planned, s.Stands.Round),
		Now:      now,
		Started:  s.Moment.Started,
		Counts:   p,
		Requests: s.Moment.Progress.Requests,
		Away:     s.Away,
		Chart:    timelineOf(view.TimelineOf(s.Records, s.Usual, now)),
	}
	b.Left, b.LeftNote = leftOf(&s.Moment)
	b.Head.Progress = progressBar(p)
	if p.Planned > 0 {
		b.Percent = strconv.Itoa(100*(p.Done+p.Failed)/p.Planned) + " %"
	}
	for _, limit := range s.Limits {
		b.Uses = append(b.Uses, useOf(limit))
	}
	b.jobs(s.Moment.Miners)
	b.workers(s.Workers)
	return b
}

// leftOf is the time that is left, in steps that do not flicker, and what there is to know of
// it.
func leftOf(m *view.Moment) (value, note string) {
	left := m.Remaining()
	if !left.Known {
		value = cmp.Or(strings.TrimPrefix(left.Why, "time left "), "not known")
		if before, after, two := strings.Cut(value, ": "); two {
			return after, before
		}
		return value, ""
	}
	step := time.Second
	if left.Time > time.Minute {
		step = 10 * time.Second
	}
	return "about " + took(left.Time.Round(step).Seconds()), left.Why
}

func progressBar(p view.RoundProgress) template.HTML {
	label := fmt.Sprintf("%d done, %d failed, %d running and %d queued of %d jobs", p.Done, p.Failed, p.Running, p.Queued, p.Planned)
	return stacked(label, float64(p.Planned), portion{"fill-good", float64(p.Done - p.Degraded), "done"},
		portion{"fill-warn", float64(p.Degraded), "degraded"}, portion{"fill-bad", float64(p.Failed), "failed"},
		portion{"fill-accent", float64(p.Running), "running"})
}

// jobs lists the jobs that run or wait for another attempt, and counts the queue.
func (b *runningBody) jobs(miners []view.MinerNow) {
	for _, m := range view.Interesting(miners) {
		switch {
		case m.Phase == job.Failed:
			continue // among the failures
		case m.Phase == job.Planned && m.Failures == 0 && m.Doing == "":
			b.Queue.Count++
			b.Queue.UIDs = append(b.Queue.UIDs, m.UID)
			continue
		}
		row := jobRow{MinerNow: m, Stand: string(m.Phase), Doing: bounded.Line(m.Doing, maxError)}
		if m.Phase == job.Planned {
			row.Stand = "queued"
		}
		row.Link, row.GitHub = awaited(&m)
		b.Jobs = append(b.Jobs, row)
	}
}

// stepPull finds the pull request in the name of a step, such as "files of a/b#7".
var stepPull = regexp.MustCompile(`\b([\w-]+/[\w.-]+)#(\d+)$`)

// awaited is the page of what a job waits for or works at.
func awaited(m *view.MinerNow) (link string, gitHub bool) {
	switch m.Waits {
	case doing.Permit:
		return "/limit", false
	case doing.Redis:
		return "/health", false
	case doing.Breaker, doing.Connection, doing.Memory, view.WaitsWorker:
		return workerLink(m.Worker), false
	}
	if pull := stepPull.FindStringSubmatch(m.Step); pull != nil {
		return "https://github.com/" + pull[1] + "/pull/" + pull[2], true
	}
	return "", false
}

// workers lists the processes that have not left.
func (b *runningBody) workers(w view.Workers) {
	for _, row := range workerRows(w, versionsOf(w)) {
		if row.Standing != view.Left {
			b.Workers = append(b.Workers, row)
		}
	}
}

func workerLink(name string) string { return "/workers#" + name }
