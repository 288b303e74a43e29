package page

import (
	"testing"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring/input"
)

// soFar is a round that runs, with jobs of each phase, a pause and an order to cancel.
func soFar() view.RoundNow {
	r := failedRound(1, func(int) outcome.Failed {
		return outcome.Failed{Class: job.Permanent, Error: "mirror GET /api/v1/miners/17: \x1b[2Jstatus 404"}
	})
	r.State, r.Revisions = view.Running, []int{}
	r.AsOf, r.PlannedAt = started, started.Add(time.Second)
	r.CancelOrders = []job.CancelOrder{{UIDs: []int{240}, By: "op@host-7", At: started.Add(time.Minute), Reason: "its account was renamed"}}
	stop := job.Stop{By: "op@host-7", At: started.Add(2 * time.Minute), Reason: "the mirror moves \x1b[31mtonight"}
	return view.RoundNow{
		Round: r, Producer: "host-7", Paused: &job.RoundStop{Stop: stop, Round: r.Round},
		Progress: view.RoundProgress{Planned: 7, Queued: 2, Running: 3, Done: 1, Failed: 1, Retrying: 1},
		Jobs:     followedMiners(),
	}
}

// A round without an outcome: while it runs, and when nobody runs it. And a miner's job in it:
// one that runs, one that is in the queue, and a miner without a job.
func TestNowPages(t *testing.T) {
	t.Parallel()
	running := soFar()
	goldenPage(t, "now/running", "RoundNow", running, RoundNow)
	stopped := soFar()
	stopped.State, stopped.Producer = view.Stopped, ""
	stopped.Paused, stopped.CancelOrders = nil, []job.CancelOrder{}
	goldenPage(t, "now/stopped", "RoundNow", stopped, RoundNow)

	requests, ended := 12, started.Add(40*time.Second)
	name := running.Round.Round
	runs := view.JobNow{
		Attempts: view.Attempts{
			Round: name, UID: 117, Phase: job.Running, Trace: "4b4b", Requests: 12,
			Failure: &view.Failure{Class: job.Transient, Error: "status 502", At: ended},
			Attempts: []view.Attempt{
				{
					Number: 1, Delivery: 1, Worker: "worker-1", Began: started, Ended: &ended, Ending: job.EndedFailed, Requests: &requests,
					Class: job.Transient, Error: "status 502", Trace: "4b4b",
				},
				{Number: 2, Delivery: 2, Worker: "worker-2", Began: ended, Ending: view.AttemptRunning, Trace: "4b4b"},
			},
		},
		State: view.Running, Job: &running.Jobs[5], Paused: running.Paused, CancelOrders: running.CancelOrders,
	}
	goldenPage(t, "now/job", "JobNow", runs, JobNow)
	queued := view.JobNow{
		Attempts: view.Attempts{Round: name, UID: 2, Phase: job.Planned, Attempts: []view.Attempt{}},
		State:    view.Running, Job: &running.Jobs[0], CancelOrders: []job.CancelOrder{},
	}
	goldenPage(t, "now/queued", "JobNow", queued, JobNow)
	none := view.JobNow{
		Attempts: view.Attempts{Round: name, UID: 9, NoJob: input.NoStoredToken, Attempts: []view.Attempt{}},
		State:    view.Stopped, CancelOrders: []job.CancelOrder{},
	}
	goldenPage(t, "now/no-job", "JobNow", none, JobNow)
}
