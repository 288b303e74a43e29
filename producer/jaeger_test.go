package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// shown is a local round with a retry, a dead letter and a replay, as a real
// Jaeger shows it.
type shown struct {
	*jaeger

	env    []string
	flags  []string // of the servers and of tracing
	state  string
	before *seeing // the replay
	page   string  // the dead miner's on the dashboard
}

// show runs the round, and leaves its replay to the caller.
func show(t *testing.T, mirror string) *shown {
	t.Helper()
	s := &shown{jaeger: startJaeger(t), state: filepath.Join(t.TempDir(), "state")}
	s.env = []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + s.otlp, "MIRRORFLEET_RETRY_DELAYS=100ms,100ms,100ms"}
	s.flags = []string{"--local", "--state", s.state, "--trace", "--jaeger", s.pages, "--limit-horizon", "1s", "--json"}
	r := &running{Cmd: command(t, "producer", slices.Concat([]string{"run", "--mirror", mirror, "--web", "127.0.0.1:0"}, seenInputs(t), s.flags)...)}
	r.Env = append(r.Env, s.env...)
	w := watch("dashboard: ")
	r.Stdout, r.Stderr = &r.stdout, io.MultiWriter(&r.stderr, w)
	must.Do(t, r.Start())
	until(t, "the round has ended", func() bool { return strings.Contains(w.String(), "until Ctrl-C") })
	_, after, _ := strings.Cut(w.String(), "dashboard: ")
	site, _, _ := strings.Cut(after, "/\n")
	s.page = nettest.Ask(t, http.MethodGet, site+"/rounds/latest/miners/57", "").Body
	must.Do(t, r.Process.Signal(syscall.SIGINT))
	e := r.end(t)
	if e.code != 1 { // concluded, with a dead letter
		t.Fatalf("the round: exit %d, want 1\n%s", e.code, e.stderr)
	}
	s.before = &seeing{stdout: e.stdout, stderr: e.stderr, round: decode(t, e).Round, workers: []string{"worker-1", "worker-2"}}
	return s
}

func (s *shown) run(t *testing.T, args ...string) ended {
	t.Helper()
	cmd := command(t, "producer", args...)
	cmd.Env = append(cmd.Env, s.env...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return ended{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// Jaeger's API, asked as its pages ask it, shows of one round: each job's tree with its
// attributes, the links between round and jobs, and the traces that a replay leads to.
// One search by any of the three names finds all of it.
func TestJaegerShowsTheRound(t *testing.T) {
	t.Parallel()
	mirror, healed := echoing(t)
	s := show(t, mirror)
	s.before.collector = s.search(t, "producer", "round.id", s.before.round)
	s.before.retried(t)
	s.before.dead(t)
	s.before.links(t)
	s.linkOpens(t, s.before.stderr)
	for _, key := range []string{"score cache", "try failed"} {
		s.hasEvent(t, key)
	}
	for _, service := range []string{"producer", "worker"} {
		for uid, github := range map[string]string{"1": "101", "2": "102", "57": "103"} {
			s.findsAll(t, service, uid, github)
		}
	}
	dead := s.before.collector.find("job", "miner.uid=57")[0].trace
	if e := s.run(t, "show", s.before.round, "57", "--local", "--state", s.state); !strings.Contains(e.stdout, "trace "+dead+"\n") ||
		!strings.Contains(e.stdout, "DEAD LETTER: permanent after 1 attempt:") {
		t.Errorf("show does not lead to trace %s:\n%s%s", dead, e.stdout, e.stderr)
	}
	s.pictures(t)
	s.dashboardLinks(t, dead)
	healed.Store(true)
	e := s.run(t, append([]string{"replay", s.before.round, "--mirror", mirror}, s.flags...)...)
	if e.code != 0 {
		t.Fatalf("the replay: exit %d, want 0\n%s", e.code, e.stderr)
	}
	s.linkOpens(t, e.stderr)
	s.replayed(t)
}

// linkOpens wants the printed link to open the round's trace.
func (s *shown) linkOpens(t *testing.T, stderr string) {
	t.Helper()
	_, after, _ := strings.Cut(stderr, "trace: ")
	link, _, _ := strings.Cut(after, "\n")
	id, ours := strings.CutPrefix(link, s.pages+"/trace/")
	if !ours || strings.Count(stderr, "trace: "+link+"\n") != 2 {
		t.Fatalf("want a link below %s, at the begin and at the end:\n%s", s.pages, stderr)
	}
	if status, page := nettest.Get(t, link); status != http.StatusOK || !strings.Contains(page, "<html") {
		t.Errorf("%s: status %d, want a page\n%.200s", link, status, page)
	}
	found, status := s.get(t, "/api/traces/"+id)
	if status != http.StatusOK || len(found) != 1 {
		t.Fatalf("Jaeger has %d traces %s, status %d; want one", len(found), id, status)
	}
	c := seenBy(t, found)
	if roots := c.find("round", "round.id="+s.before.round); len(roots) == 0 || roots[0].parent != "" || len(c.find("conclude")) == 0 {
		t.Errorf("the link leads to a trace of %d spans, want the round's", len(c.find("")))
	}
}

// dashboardLinks wants the link on the dashboard's page of the dead miner to open the trace of
// its job.
func (s *shown) dashboardLinks(t *testing.T, dead string) {
	t.Helper()
	if link := s.pages + "/trace/" + dead; !strings.Contains(s.page, `href="`+link+`"`) {
		t.Errorf("the miner's page does not lead to %s:\n%s", link, s.page)
	} else if status, jaeger := nettest.Get(t, link); status != http.StatusOK || !strings.Contains(jaeger, "<html") {
		t.Errorf("%s: status %d, want a page\n%.200s", link, status, jaeger)
	}
	found, status := s.get(t, "/api/traces/"+dead)
	if status != http.StatusOK || len(found) != 1 || len(seenBy(t, found).find("job", "miner.uid=57")) != 1 {
		t.Errorf("Jaeger has %d traces %s, status %d; want the job's", len(found), dead, status)
	}
}

// findsAll wants a search for one miner to find exactly its job's trace and the round's,
// each whole. The traces of other miners are not among them.
func (s *shown) findsAll(t *testing.T, service, uid, github string) {
	t.Helper()
	all := s.before.collector
	want := []string{all.find("job", "miner.uid="+uid)[0].trace}
	if service == "producer" { // where the round leads to its jobs
		want = append(want, all.find("round")[0].trace)
	}
	slices.Sort(want)
	spans := 0
	for _, span := range all.find("") {
		if slices.Contains(want, span.trace) {
			spans++
		}
	}
	for key, value := range map[string]string{"miner.uid": uid, "github.id": github} {
		found := s.search(t, service, key, value)
		if got := found.ids(); !slices.Equal(got, want) {
			t.Errorf("%s %s=%s finds traces %v, want %v", service, key, value, got, want)
		}
		if got := len(found.find("")); got != spans {
			t.Errorf("%s %s=%s finds %d spans, want all %d", service, key, value, got, spans)
		}
	}
}

func (s *shown) hasEvent(t *testing.T, name string) {
	t.Helper()
	for _, span := range s.before.collector.find("", "miner.uid=2") {
		for _, event := range span.GetEvents() {
			if event.GetName() == name {
				return
			}
		}
	}
	t.Errorf("no span of miner 2 has the event %q", name)
}

// replayed wants the same search to find the replay too. Its trace leads to the round and
// to the trace that it repeats.
func (s *shown) replayed(t *testing.T) {
	t.Helper()
	after := *s.before
	after.collector = s.search(t, "producer", "miner.uid", "57")
	roots := after.collector.find("job", "miner.uid=57")
	if len(roots) != 2 {
		t.Fatalf("%d jobs of miner 57, want the dead one and its replay", len(roots))
	}
	dead, replay := roots[0], roots[1]
	after.tree(t, replay, "57", "103", map[string]int{
		"job": 1, "publish miner.job": 1, "process miner.job": 1, "evaluate": 1, "commit": 1, "settle miner.job": 1, "permit": 4,
		"POST /api/v1/miners/{github_id}/pulls": 1, "POST /api/v1/miners/{github_id}/issues": 1, "GET /api/v1/miners/{github_id}/issues": 1,
		"GET /api/v1/pulls/{owner}/{repo}/{number}/files": 1, "token score": 1, "score file": 1,
	})
	replay.has(t, map[string]string{"job.replay": "1", "job.replays": dead.trace, "job.outcome": "done"})
	rounds := after.collector.find("round")
	if len(rounds) != 2 || rounds[1].trace != rounds[0].trace || rounds[1].parent != rounds[0].id {
		t.Fatalf("%d spans of the round, want the replay's below the first", len(rounds))
	}
	var leads []string
	for _, link := range replay.GetLinks() {
		leads = append(leads, string(link.GetSpanId()))
	}
	for what, span := range map[string]*seenSpan{"the round": rounds[1], "what it replays": dead} {
		if !slices.Contains(leads, string(span.GetSpanId())) {
			t.Errorf("the replay does not lead to %s", what)
		}
	}
	created := after.collector.find("create miner.job", "miner.uid=57")
	if len(created) != 2 || len(created[1].GetLinks()) != 1 || string(created[1].GetLinks()[0].GetSpanId()) != string(replay.GetSpanId()) {
		t.Errorf("%d spans lead to the jobs of miner 57, want the second one to lead to the replay", len(created))
	}
	var miner struct {
		Trace string `json:"trace"`
	}
	e := s.run(t, "show", after.round, "57", "--local", "--state", s.state, "--json")
	if err := json.Unmarshal([]byte(e.stdout), &miner); err != nil || miner.Trace != replay.trace {
		t.Errorf("show names trace %q (%v), want the replay's %s\n%.2000s%s", miner.Trace, err, replay.trace, e.stdout, e.stderr)
	}
}
