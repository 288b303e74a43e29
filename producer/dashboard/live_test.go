package dashboard_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/roundtest"

	"go.uber.org/goleak"

	"mirrorfleet/producer/dashboard"
	"mirrorfleet/producer/doctor"
	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

// live is a round that a producer runs, of which a test changes the records, and a dashboard
// that shows it.
type live struct {
	*bundle
	*roundtest.Live

	t testing.TB
	d *dashboard.Dashboard
}

const liveRound = "20260601t000000z-0a0b0c"

func running(tb testing.TB, miners int, changes ...func(*dashboard.Config)) *live {
	tb.Helper()
	b := servers(tb)
	l := &live{bundle: b, Live: b.Begin(tb, liveRound, miners), t: tb}
	cfg := dashboard.Config{
		Bus:   l.Bus,
		Guard: roundtest.Guard(tb, ""),
		Hub:   b.Hub(tb),
		Buckets: func(context.Context) ([]ratelimit.State, error) {
			return nil, errors.New("redis is away at secret-host")
		},
		Operator: b.operator(tb),
		Doctor:   func(context.Context) (doctor.Diagnosis, error) { return doctor.Diagnosis{}, nil },
		Log:      jobstreamtest.Quiet(),
	}
	for _, change := range changes {
		change(&cfg)
	}
	l.d = must.Get(dashboard.New(cfg))(tb)
	server := httptest.NewServer(l.d)
	l.url = server.URL
	tb.Cleanup(func() { l.d.Close(); server.Close() })
	return l
}

// page is the round's page, and the version that it shows.
func (l *live) page() (body, version string) {
	l.t.Helper()
	a := l.get(l.t.(*testing.T), "/rounds/"+liveRound)
	has(l.t.(*testing.T), a, http.StatusOK, `data-live="/live/rounds/`+liveRound+`"`, "data-pause", `role="status"`)
	found := regexp.MustCompile(`data-version="([^"]+)"`).FindStringSubmatch(a.Body)
	if found == nil {
		l.t.Fatalf("no version in %s", a.Body)
	}
	return a.Body, found[1]
}

// stream is a browser that gets updates.
type stream struct {
	t      testing.TB
	body   io.Reader
	lines  *bufio.Scanner
	closes func()
}

func (l *live) stream(after string) *stream {
	l.t.Helper()
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(l.t.Context()), time.Minute, errors.New("nothing came"))
	r := must.Get(http.NewRequestWithContext(ctx, http.MethodGet, l.url+"/live/rounds/"+liveRound+"?after="+after, http.NoBody))(l.t)
	answer, err := new(http.Client).Do(r) //nolint:bodyclose // closes does
	if err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		l.t.Fatalf("the stream: %+v, %v", answer, err)
	}
	s := &stream{
		t:      l.t,
		body:   answer.Body,
		lines:  bufio.NewScanner(answer.Body),
		closes: func() { cancel(); _ = answer.Body.Close() },
	}
	s.lines.Buffer(nil, 8<<20)
	l.t.Cleanup(s.closes)
	return s
}

// event is one event of a stream.
type event struct {
	name, id string
	regions  map[string]string
}

// next is the next event; io.EOF after the last.
func (s *stream) next() (e event, err error) {
	s.t.Helper()
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			must.Do(s.t, json.Unmarshal([]byte(value), &e.regions))
		case "":
			if e.name != "" {
				return e, nil
			}
		}
	}
	return e, io.EOF
}

// until takes events until one has a text in a region.
func (s *stream) until(region, text string) (last event) {
	s.t.Helper()
	for {
		e, err := s.next()
		if err != nil {
			s.t.Fatalf("the stream ended without %q in %s: %v", text, region, err)
		}
		if strings.Contains(e.regions[region], text) {
			return e
		}
	}
}

// A round that runs is shown with what its jobs wait for, and its updates have what has
// changed since the page. Texts of workers and mirrors are hostile.
func TestARoundIsShownWhileItRuns(t *testing.T) {
	t.Parallel()
	l := running(t, 6)
	l.Step(1)
	l.Step(2)
	l.Step(3)
	l.Step(3) // it fails
	l.Shows(doing.State{What: "files of a/b#7", Waits: doing.Permit, Place: 2}, 1)
	body, version := l.page()
	for _, text := range []string{
		"<title>1/6 · Round " + liveRound, `href="/limit"`, "permit, 2nd in line", "3 jobs in the queue", "status 404", "0 done, 1 failed of 6",
		"Timeline", "Redis does not answer", "The same as a table: 3 attempts", `href="/rounds/` + liveRound + `/cancel"`,
	} {
		if !strings.Contains(body, text) {
			t.Errorf("no %q in %.20000s", text, body)
		}
	}
	if strings.Contains(body, "secret-host") {
		t.Error("the page shows what Redis' error says")
	}
	s := l.stream(version)
	l.Step(1)
	e := s.until("region-progress", "1 done, 1 failed of 6")
	if !strings.Contains(e.regions["region-head"], `data-title="2/6 · Round`) {
		t.Errorf("the tab's title does not move on: %s", e.regions["region-head"])
	}
	if _, there := e.regions["region-failures"]; there {
		t.Error("the failures are sent though they have not changed")
	}
	for id, html := range e.regions {
		checkHostile(t, id, html)
		if !strings.HasPrefix(html, `<div id="`+id+`"`) {
			t.Errorf("region %s is %.40s", id, html)
		}
	}
	l.Shows(doing.State{What: "files of a/b#7"}, 2)
	s.until("region-jobs", `href="https://github.com/a/b/pull/7"`)
}

// A browser that was away, or is behind, gets each region that has changed as it is now, in
// one event. One that has the version of an earlier process gets everything.
func TestUpdatesAreResumed(t *testing.T) {
	t.Parallel()
	l := running(t, 9)
	_, version := l.page()
	s := l.stream(version)
	for uid := 1; uid <= 4; uid++ {
		l.Step(uid)
		s.until("region-jobs", fmt.Sprintf(`id="job-%d"`, uid))
	}
	again, err := l.stream(version).next()
	must.Do(t, err)
	for uid := 1; uid <= 4; uid++ {
		if !strings.Contains(again.regions["region-jobs"], fmt.Sprintf(`id="job-%d"`, uid)) {
			t.Errorf("one that comes back is not told of miner %d: %v", uid, again)
		}
	}
	if _, there := again.regions["region-failures"]; there {
		t.Error("one that comes back is sent the failures, which have not changed")
	}
	foreign, err := l.stream("another-7").next()
	must.Do(t, err)
	if ids := slices.Collect(maps.Keys(foreign.regions)); len(ids) != dashboard.Regions {
		t.Errorf("one that has nothing gets %v, want all %d regions", ids, dashboard.Regions)
	}
}

// When the round has ended the page is loaded anew, and Close ends all streams.
func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	l := running(t, 2)
	_, version := l.page()
	s := l.stream(version)
	l.Ends()
	for {
		e, err := s.next()
		if err != nil {
			t.Fatal("the stream ended without the end of the round")
		}
		if e.name == "end" {
			break
		}
	}
	if _, err := s.next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}

	l = running(t, 2)
	s = l.stream("")
	l.d.Close()
	for {
		if e, err := s.next(); err != nil {
			break
		} else if e.name == "end" {
			t.Error("a browser is told that the round has ended, though the dashboard was closed")
		}
	}
}

// However many look at a round, it is followed once. Nothing follows it any more a while after
// the last one has left, and there is room for so many and no more.
func TestViewersShareOneShow(t *testing.T) {
	t.Parallel()
	l := running(t, 3)
	l.d.Linger(0)
	all := make([]*stream, dashboard.MaxStreams)
	for i := range all {
		all[i] = l.stream("")
	}
	if n := l.d.Shows(); n != 1 {
		t.Errorf("%d shows for %d viewers, want 1", n, len(all))
	}
	a := l.get(t, "/live/rounds/"+liveRound)
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("one browser more: %d, want 503 and when to try again", a.Status)
	}
	l.Step(1)
	for _, s := range all {
		s.until("region-jobs", `id="job-1"`)
		s.closes()
	}
	l.d.Wait() // or the test would not end
	if n := l.d.Shows(); n != 0 {
		t.Errorf("%d shows without viewers, want none", n)
	}
}

// Twenty browsers that have looked at a round of 256 miners leave nothing behind: no goroutine,
// though the dashboard stays. No other test runs beside this one, which looks at all of them.
//
//nolint:paralleltest // see above
func TestViewersLeaveNothing(t *testing.T) {
	l := running(t, 256)
	l.d.Linger(0)
	already := goleak.IgnoreCurrent()
	all := make([]*stream, 20)
	for i := range all {
		all[i] = l.stream("")
	}
	l.Step(1)
	for _, s := range all {
		s.until("region-jobs", `id="job-1"`)
		s.closes()
	}
	l.d.Wait()
	for until := time.Now().Add(time.Minute); ; { // each look of goleak's waits for a second
		left := goleak.Find(already)
		if left == nil {
			return
		}
		if time.Now().After(until) {
			t.Fatal(left)
		}
	}
}

// The page of a replay counts the requests as they are made. The last outcome's stay as they are
// until there is another one.
func TestAReplayIsShownWhileItRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.Incomplete(t, now)
	b.Replaying(t, r.Round, now)
	record, at, err := b.Bus.Records.Load(t.Context(), r.Round, 2)
	must.Do(t, err)
	record.Requests += 4321
	must.Get(b.Bus.Records.Update(t.Context(), record, at))(t)
	requests := 0
	for _, one := range must.Get(b.Bus.Records.List(t.Context(), r.Round))(t) {
		requests += one.Requests
	}
	text := parsed(t, b.get(t, "/rounds/"+r.Round)).text()
	for _, want := range []string{fmt.Sprintf("Requests%d,%03d", requests/1000, requests%1000), "those before the replay too", "replaying"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

// What cannot be followed is refused before the stream begins.
func TestWhatCannotBeFollowed(t *testing.T) {
	t.Parallel()
	l := running(t, 1, func(cfg *dashboard.Config) { cfg.Guard = roundtest.Guard(t, "a-token-for-reading") })
	if a := l.get(t, "/live/rounds/"+liveRound); a.Status != http.StatusUnauthorized {
		t.Errorf("without a token: %d, want 401", a.Status)
	}
	with := []string{"Authorization", "Bearer " + token}
	for path, want := range map[string]int{
		"/live/rounds/" + liveRound[:15] + "z-ffffff": http.StatusNotFound,
		"/live/rounds/no.such*round":                  http.StatusNotFound,
	} {
		if a := l.get(t, path, with...); a.Status != want {
			t.Errorf("%s: %d, want %d", path, a.Status, want)
		}
	}
}
