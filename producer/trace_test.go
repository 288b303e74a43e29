package main_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	traces "go.opentelemetry.io/proto/otlp/trace/v1"
)

// A round with a retry and a dead letter reaches a real collector: the tree of each job,
// its links, its attributes, and the same ids in the logs. The planted token is in no
// output.
func TestTheTraceTellsWhatHappened(t *testing.T) {
	t.Parallel()
	s := see(t)
	t.Run("retried", func(t *testing.T) { t.Parallel(); s.retried(t) })
	t.Run("dead", func(t *testing.T) { t.Parallel(); s.dead(t) })
	t.Run("links", func(t *testing.T) { t.Parallel(); s.links(t) })
	t.Run("good", func(t *testing.T) { t.Parallel(); s.good(t) })
	t.Run("logs", func(t *testing.T) { t.Parallel(); s.logs(t) })
	t.Run("metrics", func(t *testing.T) { t.Parallel(); s.declared(t) })
	t.Run("secrets", func(t *testing.T) { t.Parallel(); s.secrets(t) })
}

// parents says for each span which span is its parent.
var parents = map[string][]string{
	"job":                                    {""},
	"publish miner.job":                      {"job"},
	"process miner.job":                      {"publish miner.job"},
	"evaluate":                               {"process miner.job"},
	"POST /api/v1/miners/{github_id}/pulls":  {"evaluate"},
	"POST /api/v1/miners/{github_id}/issues": {"evaluate"},
	"GET /api/v1/miners/{github_id}/issues":  {"evaluate"},
	"GET /api/v1/pulls/{owner}/{repo}/{number}/files": {"evaluate"},
	"permit":           {"POST /api/v1/miners/{github_id}/pulls", "POST /api/v1/miners/{github_id}/issues", "GET /api/v1/miners/{github_id}/issues", "GET /api/v1/pulls/{owner}/{repo}/{number}/files"},
	"token score":      {"evaluate"},
	"score file":       {"token score"},
	"commit":           {"process miner.job"},
	"settle miner.job": {"process miner.job"},
}

// only is the root span of a miner with a single job. All spans of that job are in its
// trace.
func (s *seeing) only(t *testing.T, uid string) *seenSpan {
	t.Helper()
	roots := s.collector.find("job", "miner.uid="+uid)
	if len(roots) != 1 {
		t.Fatalf("%d root spans of miner %s, want one", len(roots), uid)
	}
	for _, span := range s.collector.find("", "miner.uid="+uid) {
		if span.trace != roots[0].trace && span.GetName() != "create miner.job" {
			t.Errorf("span %q of miner %s is in another trace", span.GetName(), uid)
		}
	}
	return roots[0]
}

// tree wants all spans of a job's trace, each under its right parent and with the
// attributes that find it, and the given number of each name.
func (s *seeing) tree(t *testing.T, root *seenSpan, uid, github string, want map[string]int) {
	t.Helper()
	byID := map[string]*seenSpan{}
	for _, span := range s.collector.find("") {
		if span.trace == root.trace {
			byID[span.id] = span
		}
	}
	got := map[string]int{}
	for _, span := range byID {
		got[span.GetName()]++
		above := ""
		if parent := byID[span.parent]; parent != nil {
			above = parent.GetName()
		}
		if allowed, known := parents[span.GetName()]; !known || !slices.Contains(allowed, above) {
			t.Errorf("%q is under %q, want one of %q", span.GetName(), above, allowed)
		}
		for key, value := range map[string]string{"miner.uid": uid, "github.id": github, "round.id": s.round} {
			if span.attrs[key] != value {
				t.Errorf("%q: %s is %q, want %q", span.GetName(), key, span.attrs[key], value)
			}
		}
	}
	if got["permit"] > want["permit"] { // one that was granted too late is asked for again: a busy machine has that
		got["permit"] = want["permit"]
	}
	if !maps.Equal(got, want) {
		t.Errorf("spans are\n%v, want\n%v", got, want)
	}
}

// has wants attributes of a span.
func (s *seenSpan) has(t *testing.T, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if s.attrs[key] != value {
			t.Errorf("%q: %s is %q, want %q", s.GetName(), key, s.attrs[key], value)
		}
	}
}

func (s *seeing) retried(t *testing.T) {
	t.Helper()
	root := s.only(t, "2")
	s.tree(t, root, "2", "102", map[string]int{
		"job": 1, "publish miner.job": 1, "process miner.job": 2, "evaluate": 2, "commit": 1, "settle miner.job": 2,
		"POST /api/v1/miners/{github_id}/pulls": 4, "POST /api/v1/miners/{github_id}/issues": 2, "GET /api/v1/miners/{github_id}/issues": 2,
		"GET /api/v1/pulls/{owner}/{repo}/{number}/files": 3, "permit": 2*4 + 3 + 1 + 1, "token score": 2, "score file": 2,
	})
	root.has(t, map[string]string{"job.outcome": "done", "job.failures": "1"})
	if root.service != "producer" || root.GetStatus().GetCode() == traces.Status_STATUS_CODE_ERROR {
		t.Errorf("the root is of %s with status %s, want the producer's, without error", root.service, root.GetStatus())
	}
	attempts := s.collector.find("process miner.job", "miner.uid=2")
	attempts[0].has(t, map[string]string{
		"job.delivery": "1", "job.outcome": "retry", "job.failure.class": "transient",
		"messaging.system": "nats", "messaging.operation.type": "process", "messaging.operation.name": "process",
		"messaging.destination.name": "miner.job." + s.round + ".2", "messaging.destination.template": "miner.job.{round}.{uid}",
		"messaging.consumer.group.name": "workers",
	})
	attempts[1].has(t, map[string]string{"job.delivery": "2", "job.outcome": "done", "job.failures": "1"})
	if by := attempts[0].attrs["worker.name"]; !slices.Contains(s.workers, by) {
		t.Errorf("the first attempt is by worker %q, want one of %q", by, s.workers)
	}
	if attempts[0].GetKind() != traces.Span_SPAN_KIND_CONSUMER || attempts[0].GetStatus().GetCode() != traces.Status_STATUS_CODE_ERROR {
		t.Errorf("the first attempt is a %s with %s, want a consumer with an error", attempts[0].GetKind(), attempts[0].GetStatus())
	}
	publish := s.collector.find("publish miner.job", "miner.uid=2")[0]
	publish.has(t, map[string]string{"messaging.operation.type": "send", "messaging.message.id": s.round + "/2"})
	settles := s.collector.find("settle miner.job", "miner.uid=2")
	settles[0].has(t, map[string]string{"messaging.operation.type": "settle", "messaging.operation.name": "nak"})
	settles[1].has(t, map[string]string{"messaging.operation.name": "ack"})
	for i, want := range []map[string]string{
		{"score.cache.hits": "0", "score.cache.misses": "2"}, // one was fetched and kept, the other failed
		{"score.cache.hits": "1", "score.cache.misses": "1"},
	} {
		s.collector.find("evaluate", "miner.uid=2")[i].has(t, want)
	}
	files := s.collector.find("GET /api/v1/pulls/{owner}/{repo}/{number}/files", "miner.uid=2", "pull_request.number=2")
	files[0].has(t, map[string]string{
		"http.request.method": "GET", "http.response.status_code": "503", "http.request.resend_count": "2", "error.type": "503",
		"pull_request.repository": "a/b", "pull_request.number": "2", "mirror.breaker.state": "closed", "server.address": "127.0.0.1",
	})
	if files[0].GetKind() != traces.Span_SPAN_KIND_CLIENT || files[0].GetStatus().GetCode() != traces.Status_STATUS_CODE_ERROR {
		t.Errorf("the files that failed are a %s with %s, want a client with an error", files[0].GetKind(), files[0].GetStatus())
	}
	files[1].has(t, map[string]string{"http.response.status_code": "200", "http.request.resend_count": "0", "mirror.items": "1"})
	pages := s.collector.find("POST /api/v1/miners/{github_id}/pulls", "miner.uid=2")
	pages[0].has(t, map[string]string{"mirror.page": "1", "mirror.items": "200"})
	pages[1].has(t, map[string]string{"mirror.page": "2", "mirror.items": "2"})
	scored := s.collector.find("score file", "miner.uid=2", "pull_request.number=2")[0]
	scored.has(t, map[string]string{"score.language": "go", "score.file.name": "p.go", "pull_request.number": "2"})
	if pull := s.collector.find("token score", "miner.uid=2", "pull_request.number=2")[0]; scored.GetStartTimeUnixNano() < pull.GetStartTimeUnixNano() ||
		scored.GetEndTimeUnixNano() > pull.GetEndTimeUnixNano() || scored.GetEndTimeUnixNano() <= scored.GetStartTimeUnixNano() {
		t.Error("the child's span is not within its pull request's")
	}
}

func (s *seeing) good(t *testing.T) {
	t.Helper()
	root := s.only(t, "1")
	s.tree(t, root, "1", "101", map[string]int{
		"job": 1, "publish miner.job": 1, "process miner.job": 1, "evaluate": 1, "commit": 1, "settle miner.job": 1, "permit": 4,
		"POST /api/v1/miners/{github_id}/pulls": 1, "POST /api/v1/miners/{github_id}/issues": 1, "GET /api/v1/miners/{github_id}/issues": 1,
		"GET /api/v1/pulls/{owner}/{repo}/{number}/files": 1, "token score": 1, "score file": 1,
	})
	root.has(t, map[string]string{"job.outcome": "done", "job.failures": "0"})
}

func (s *seeing) dead(t *testing.T) {
	t.Helper()
	root := s.only(t, "57")
	s.tree(t, root, "57", "103", map[string]int{
		"job": 1, "publish miner.job": 1, "process miner.job": 1, "evaluate": 1, "settle miner.job": 1, "permit": 3,
		"POST /api/v1/miners/{github_id}/pulls": 1, "POST /api/v1/miners/{github_id}/issues": 1, "GET /api/v1/miners/{github_id}/issues": 1,
	})
	root.has(t, map[string]string{"job.outcome": "failed"})
	if root.GetStatus().GetCode() != traces.Status_STATUS_CODE_ERROR || !strings.Contains(root.GetStatus().GetMessage(), "404") {
		t.Errorf("the root's status is %s, want the error with its 404", root.GetStatus())
	}
	s.collector.find("process miner.job", "miner.uid=57")[0].has(t, map[string]string{"job.outcome": "failed", "job.failure.class": "permanent"})
	s.collector.find("settle miner.job", "miner.uid=57")[0].has(t, map[string]string{"messaging.operation.name": "term"})
	letter := struct {
		DeadLetters []struct {
			Trace string `json:"trace"`
		} `json:"dead_letters"`
	}{}
	if err := json.Unmarshal([]byte(s.stdout), &letter); err != nil || len(letter.DeadLetters) != 1 || letter.DeadLetters[0].Trace != root.trace {
		t.Errorf("the dead letter is %+v (%v), want it to name trace %s", letter, err, root.trace)
	}
}

// links wants the round's trace to link to each job's trace, and each of these back.
func (s *seeing) links(t *testing.T) {
	t.Helper()
	rounds := s.collector.find("round", "round.id="+s.round)
	if len(rounds) != 1 || rounds[0].parent != "" {
		t.Fatalf("%d spans of the round, want one root", len(rounds))
	}
	rounds[0].has(t, map[string]string{"round.outcome": "incomplete"})
	for _, uid := range []string{"1", "2", "57"} {
		created := s.collector.find("create miner.job", "miner.uid="+uid)
		if len(created) != 1 || created[0].trace != rounds[0].trace || len(created[0].GetLinks()) != 1 {
			t.Fatalf("miner %s: %d spans lead to its job, want one in the round's trace with one link", uid, len(created))
		}
		roots := s.collector.find("job", "miner.uid="+uid)
		if len(roots) != 1 {
			t.Fatalf("miner %s: %d root spans, want one", uid, len(roots))
		}
		there, back := created[0].GetLinks()[0], roots[0].GetLinks()
		if string(there.GetTraceId()) != string(roots[0].GetTraceId()) || string(there.GetSpanId()) != string(roots[0].GetSpanId()) {
			t.Errorf("miner %s: the round's link does not lead to the job's root", uid)
		}
		if len(back) != 1 || string(back[0].GetTraceId()) != string(rounds[0].GetTraceId()) || string(back[0].GetSpanId()) != string(rounds[0].GetSpanId()) {
			t.Errorf("miner %s: the job's root does not lead to the round", uid)
		}
	}
}
