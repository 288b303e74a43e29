package web_test

import (
	"net/http"
	"strings"
	"testing"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
)

// The jobs of a round that runs are told, all together and one by one. The miner itself has no
// score yet, and the problem says where its job is.
func TestJobsOfARoundThatRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := b.ask(t, http.MethodGet, "/api/v1/rounds/latest/jobs", ""); got.status != http.StatusNotFound {
		t.Errorf("without a round: %d %s, want 404", got.status, got.body)
	}
	round := b.runs(t)
	b.takes(t, round)
	all := into[view.RoundNow](t, b.ask(t, http.MethodGet, "/api/v1/rounds/latest/jobs", ""))
	if all.Round.Round != round || all.Producer != "p1" || all.Progress.Running != 1 || len(all.Jobs) != 2 || all.Jobs[0].Worker != "w1" {
		t.Errorf("jobs: %+v, want those of the round that runs", all)
	}
	one := into[view.JobNow](t, b.ask(t, http.MethodGet, "/api/v1/rounds/"+round+"/miners/1/job", ""))
	if one.State != view.Running || one.Job == nil || one.Job.Phase != job.Running || len(one.Attempts.Attempts) != 1 {
		t.Errorf("miner 1: %+v, want the job that runs, with its attempt", one)
	}
	if none := into[view.JobNow](t, b.ask(t, http.MethodGet, "/api/v1/rounds/"+round+"/miners/3/job", "")); none.Job != nil || none.NoJob == "" {
		t.Errorf("miner 3: %+v, want why it has no job", none)
	}
	for path, want := range map[string]string{
		round + "/miners/1":        round + "/miners/1/job says",
		round + "/miners/9/job":    "its uids are 0, 1, 2, 3, 111",
		round + "/miners/x/job":    "uid",
		round + "/jobs?revision=1": "revision",
		"never/jobs":               round,
		"a%20b/miners/1/job":       "a b",
	} {
		if got := b.ask(t, http.MethodGet, "/api/v1/rounds/"+path, ""); got.status < 400 || got.status > 404 || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s, want it refused with %q", path, got.status, got.body, want)
		}
	}
}
