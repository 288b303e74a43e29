package dashboard

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring/input"
)

// attempts are a miner's job and its attempts, as they are printed.
type attempts struct {
	// None says why there are none to show; "" otherwise.
	None  string
	NoJob bool   // the miner has none in this round
	Job   string // how the job stands and what it has cost
	Phase badge
	Wait  string // what it waits for, or what ended it
	At    *time.Time
	Rows  []attemptRow
	More  string // those that are not kept
}

type attemptRow struct {
	view.Attempt

	Took     string
	Requests string
	Ending   badge
	Run      string // the round itself, or a replay
	Jaeger   string // the address of its trace; "" for none
}

// attemptsOf reads the attempts of a miner's job.
func (d *Dashboard) attemptsOf(r *http.Request, round string, uid int) (attempts, error) {
	a, err := view.AttemptsOf(r.Context(), d.cfg.Bus, round, uid)
	if err != nil {
		return attempts{}, err
	}
	switch {
	case a.NoJob != input.NoFailure:
		return attempts{NoJob: true, None: "The miner has no job in this round: " + string(a.NoJob) + "."}, nil
	case a.Lost != "":
		return attempts{None: "Nothing is known of the job: " + a.Lost + "."}, nil
	}
	list := attempts{Job: jobText(&a), Phase: phaseOf(a.Phase)}
	list.wait(&a)
	if a.Unlisted > 0 {
		list.More = plural.Forms(a.Unlisted, "earlier attempt is", "earlier attempts are") + " not kept."
	}
	for _, one := range a.Attempts {
		row := attemptRow{
			Attempt:  one,
			Requests: "unknown",
			Ending:   endingOf(one.Ending),
			Run:      "the round",
			Jaeger:   d.jaeger(one.Trace),
		}
		if one.Ended != nil { // two clocks may have taken the two instants
			row.Took = took(max(one.Ended.Sub(one.Began), 0).Seconds())
		}
		if one.Requests != nil {
			row.Requests = number(*one.Requests)
		}
		if one.Replay > 0 {
			row.Run = "replay " + strconv.Itoa(one.Replay)
		}
		list.Rows = append(list.Rows, row)
	}
	return list, nil
}

// jaeger is the address of a trace; "" without Jaeger, or without a trace.
func (d *Dashboard) jaeger(trace string) string {
	if d.cfg.Jaeger == "" || trace == "" {
		return ""
	}
	return strings.TrimRight(d.cfg.Jaeger, "/") + "/trace/" + url.PathEscape(trace)
}

func phaseOf(p job.Phase) badge {
	switch p {
	case job.Done:
		return badge{"done", "good"}
	case job.Failed:
		return badge{"failed", "bad"}
	case job.Running:
		return badge{"running", "live"}
	case job.Planned:
	}
	return badge{string(p), ""}
}

func endingOf(e job.Ending) badge {
	switch e {
	case job.EndedCommitted:
		return badge{string(e), "good"}
	case view.AttemptRunning:
		return badge{string(e), "live"}
	case job.EndedDegraded, job.EndedFailed, job.EndedHandedBack, job.EndedLapsed:
		return badge{string(e), "warn"}
	case job.EndedDead:
	}
	return badge{string(e), "bad"} // dead, or ended from outside
}

func jobText(a *view.Attempts) string {
	text := fmt.Sprintf("%s, %s", plural.Of(a.Unlisted+len(a.Attempts), "attempt"), plural.Of(a.Requests, "request"))
	if a.Unreported > 0 {
		text += fmt.Sprintf("; %s without a report", plural.Of(a.Unreported, "attempt"))
	}
	if a.Replay > 0 {
		text += fmt.Sprintf("; replay %d", a.Replay)
	}
	return text
}

// wait says what ended a job that no attempt has ended, and what one waits for that has not
// ended.
func (list *attempts) wait(a *view.Attempts) {
	ended := len(a.Attempts) > 0 && a.Attempts[len(a.Attempts)-1].Class != ""
	switch {
	case a.Phase == job.Failed && a.Failure != nil && !ended:
		list.Wait = fmt.Sprintf("Ended without an attempt, %s: %s", a.Failure.Class, a.Failure.Error)
	case a.RetryAt != nil:
		list.Wait, list.At = "The next attempt may begin", a.RetryAt
	case a.Phase == job.Planned && a.Refused != "":
		list.Wait = "The job waits for a worker. The last one that had it could not do it: " + a.Refused
	case a.Phase == job.Planned:
		list.Wait = "The job waits for a worker."
	}
}

// unfinishedBody is the page of a miner of a round without an outcome.
type unfinishedBody struct {
	At       place
	UID      int
	Why      string
	Attempts attempts
}

// unfinishedMiner shows what is known of a miner while its round runs.
func (d *Dashboard) unfinishedMiner(r *http.Request, at place, uid int) (page, error) {
	body := unfinishedBody{At: at, UID: uid}
	var err error
	if body.Attempts, err = d.attemptsOf(r, at.Round, uid); err != nil {
		return page{}, notFound(err)
	}
	_, err = view.Locate(r.Context(), d.cfg.Bus, at.Round, at.Revision)
	if err == nil { // it was concluded just now
		return page{Redirect: r.URL.RequestURI()}, nil
	}
	body.Why = err.Error()
	return page{
		Template: "unfinished",
		Title:    fmt.Sprintf("Miner %d · %s", uid, at.Round),
		Nav:      "Rounds",
		JSON:     "/api/v1/rounds/" + at.Round + "/miners/" + strconv.Itoa(uid) + "/attempts",
		Body:     body,
	}, nil
}
