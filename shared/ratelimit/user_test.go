package ratelimit_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/redistest"
)

// TestTheDocumentedUser of docs/limit.md can do all that is done, a look at what
// others do and a word to them included; without SCAN it can do the rest.
func TestTheDocumentedUser(t *testing.T) {
	t.Parallel()
	docs := must.Get(os.ReadFile("../../docs/limit.md"))(t)
	found := regexp.MustCompile(`(?m)^    ACL SETUSER fleet (.*)$`).FindSubmatch(docs)
	if found == nil {
		t.Fatal("docs/limit.md does not say what the user may do")
	}
	run := redistest.Start(t)
	order := []any{"ACL", "SETUSER", "fleet"}
	for word := range strings.FieldsSeq(string(found[1])) {
		order = append(order, strings.ReplaceAll(word, "PASSWORD", "secret"))
	}
	must.Do(t, run.Client(t).Do(t.Context(), order...).Err())
	s := newServer(t, strings.Replace(run.URL(), "redis://", "redis://fleet:secret@", 1))
	l, d := s.limiter(t, quick()), s.desk(t)
	permit(t, l)
	if state, err := d.Hold(t.Context(), time.Minute); err != nil || state.Hold <= 0 || state.RunID == "" {
		t.Errorf("a hold: %+v, %v, want one, by a server that tells its run id", state, err)
	}
	if _, err := d.Release(t.Context()); err != nil {
		t.Error(err)
	}
	permit(t, l)
	if got, err := ratelimit.Buckets(t.Context(), patient(t, s), time.Minute); err != nil || len(got) != 1 {
		t.Errorf("the buckets: %v, %v, want the one", got, err)
	}
	must.Check(t, patient(t, s).Ping(t.Context()).Err())
	must.Check(t, patient(t, s).Subscribe(t.Context(), ratelimit.Channel(ratelimit.DefaultEgress)).Ping(t.Context()))
	if err := patient(t, s).Set(t.Context(), "another", 1, 0).Err(); err == nil {
		t.Error("the user may write what is not the fleet's")
	}
	must.Do(t, run.Client(t).Do(t.Context(), "ACL", "SETUSER", "fleet", "-scan").Err())
	permit(t, l)
	if _, err := ratelimit.Buckets(t.Context(), patient(t, s), time.Minute); err == nil {
		t.Error("the buckets were listed without SCAN")
	}
	// What the server refused it has told of: nothing of the limiter's own.
	refused := must.Get(run.Client(t).Do(t.Context(), "ACL", "LOG").Slice())(t)
	for _, entry := range refused {
		values, _ := entry.(map[any]any)
		if object := values["object"]; object != "set" && object != "scan" {
			t.Errorf("refused %v, want the foreign key and SCAN alone", values)
		}
	}
}
