package web_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/listen"
	"mirrorfleet/shared/must"
)

// stream is an open stream of events.
type stream struct {
	t     *testing.T
	body  io.Closer
	lines *bufio.Reader
	// last is the id of the last event, as a browser keeps it.
	last string
	// beats counts the lines that only say that the stream lives.
	beats int
}

// follow opens the stream of a round, with what follows in its address; headers are names and
// values by turns.
func (b *bundle) follow(t *testing.T, round, query string, headers ...string) *stream {
	t.Helper()
	r := must.Get(http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/api/v1/rounds/"+round+"/events"+query, nil))(t)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	must.Do(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" || response.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s %v, want a stream", response.Status, response.Header)
	}
	return &stream{t: t, body: response.Body, lines: bufio.NewReader(response.Body)}
}

// next reads one event as a browser does, and holds that its fields say what its data says.
func (s *stream) next() (e view.Event, err error) {
	s.t.Helper()
	fields := map[string]string{}
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return e, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case name == ":":
			s.beats++
		case name != "":
			fields[name] = value
		case len(fields) > 0:
			if err := webtest.Printed("Event", fields["data"]); err != nil {
				s.t.Errorf("%v: %v", err, fields)
			}
			e = into[view.Event](s.t, said{body: fields["data"]})
			if s.last = fields["id"]; fields["event"] != string(e.Type) || s.last != strconv.FormatUint(e.ID, 10) {
				s.t.Errorf("the fields are %v, want those of the data", fields)
			}
			return e, nil
		}
	}
}

// until reads up to an event of a type, and returns all of them.
func (s *stream) until(kind view.EventType) (events []view.Event) {
	s.t.Helper()
	for {
		e := must.Get(s.next())(s.t)
		if events = append(events, e); e.Type == kind {
			return events
		}
	}
}

// short tells events in short: id, type, and of a miner uid and phase.
func short(events []view.Event) (told []string) {
	for _, e := range events {
		text := fmt.Sprint(e.ID, " ", e.Type)
		if e.Miner != nil {
			text += fmt.Sprint(" ", e.Miner.UID, " ", e.Miner.Phase)
		}
		told = append(told, text)
	}
	return told
}

// A round that workers run is followed over HTTP from its first job to its end, and a viewer that
// is cut off in the middle is told what it has not had. A round that has ended is told at once.
// These are the events of `producer watch`.
func TestTheEventsOfARound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at, goOn := make(chan int, 8), make(chan struct{})
	b.Evaluate = func(j job.Job) job.Evaluation { at <- j.UID; <-goOn; return roundtest.Evaluated(j, "") }
	b.Work(t)
	m := b.Plan(t, now)
	m.Due = now
	over := make(chan outcome.Result, 1)
	go func() { over <- b.Run(t, m) }()
	<-at
	<-at // both miners with a job are at work, so the round is planned
	first := b.follow(t, "latest", "")
	second := b.follow(t, m.Round, "")
	begun := first.until(view.EventProgress)
	cut := must.Get(second.next())(t)
	must.Do(t, second.body.Close())
	close(goOn)
	ended := first.until(view.EventEnd)
	if _, err := first.next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, want EOF", err)
	}
	if len(begun) < 2 || begun[0].Miner == nil || begun[0].Miner.Worker != "w1" || cut.Miner == nil {
		t.Errorf("it begins with %v, and for another viewer with %v; want the miners that run, and their worker", short(begun), short([]view.Event{cut}))
	}
	result := <-over
	end := ended[len(ended)-1].End
	if end.Round != result.Round || !end.Complete || end.Done != result.Planned {
		t.Errorf("the end is %+v, want that of the outcome", end)
	}

	f := must.Get(view.NewFollow(t.Context(), b.Bus, m.Round, time.Now()))(t)
	var watched []view.Event
	must.Get(f.Run(t.Context(), func(e view.Event) error { watched = append(watched, e); return nil }))(t)
	if diff := cmp.Diff(short(watched), short(b.follow(t, m.Round, "").until(view.EventEnd))); diff != "" {
		t.Errorf("the events of the round that has ended (-watch +stream):\n%s", diff)
	}
	resumed := short(b.follow(t, m.Round, "", "Last-Event-ID", second.last).until(view.EventEnd))
	if diff := cmp.Diff(short(watched), resumed); diff != "" {
		t.Errorf("the viewer that was cut off at %s (-want +got):\n%s", second.last, diff)
	}
	last := strconv.FormatUint(watched[len(watched)-1].ID, 10)
	for _, again := range []*stream{b.follow(t, m.Round, "", "Last-Event-ID", last), b.follow(t, m.Round, "?after="+last), b.follow(t, m.Round, "?after=1", "Last-Event-ID", last)} {
		got := short(again.until(view.EventEnd))
		if diff := cmp.Diff([]string{last + " progress", last + " end"}, got); diff != "" {
			t.Errorf("a viewer that has all (-want +got):\n%s", diff)
		}
	}
}

// runs is a round of some miners, whose records the test changes in place of workers.
func (b *bundle) runs(t *testing.T) (round string) {
	t.Helper()
	m := b.Plan(t, now)
	for _, j := range m.Jobs() {
		must.Get(b.Bus.Records.Plan(t.Context(), job.Plan(m.Round, j.UID, "")))(t)
	}
	must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), m))
	must.Get(b.Bus.Holders.Set(t.Context(), m.Round, job.Holder{Name: "p1", For: time.Hour}, 0))(t)
	return m.Round
}

// takes lets a worker take the job of miner 1, and hand it back if it has it.
func (b *bundle) takes(t *testing.T, round string) {
	t.Helper()
	record, revision, err := b.Bus.Records.Load(t.Context(), round, 1)
	must.Do(t, err)
	if record.Phase == job.Running {
		record = must.Get(record.HandedBack("c", job.Spent{}, ""))(t)
	} else {
		record = must.Get(record.Claimed(job.Claim{ID: "c", Worker: "w1", Sequence: 1, Delivery: 1}))(t)
	}
	must.Get(b.Bus.Records.Update(t.Context(), record, revision))(t)
}

// A stream outlives the time that a request has, the time in which its listener wants to have
// read it, and the time that its answer may take. Where nothing happens it says that it lives.
func TestAStreamOutlivesARequestsTime(t *testing.T) {
	t.Parallel()
	b := servers(t)
	round := b.runs(t)
	const brief = 500 * time.Millisecond
	cfg := b.config(t)
	cfg.Timeout = brief
	api := cfg.open(t)
	server := listen.HTTP(api, brief, jobstreamtest.Quiet())
	server.ReadTimeout = brief
	b.handle(t, server, must.Get(new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t))
	t.Cleanup(cfg.Hub.Close)

	quiet, s := b.follow(t, round, ""), b.follow(t, round, "")
	quiet.until(view.EventProgress)
	s.until(view.EventProgress)
	for range 4 {
		b.takes(t, round) // it is seen half a second later
		quiet.until(view.EventProgress)
		s.until(view.EventProgress)
	}
	beats := s.beats
	must.Do(t, errorOf(s.lines.ReadString('\n')))
	if beats != 1 {
		t.Errorf("%d lines without an event, want the first one alone", beats)
	}
}

// handle serves a handler until the test ends.
func (b *bundle) handle(t *testing.T, server *http.Server, on net.Listener) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(on) }()
	t.Cleanup(func() {
		must.Check(t, server.Close())
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	b.url = "http://" + on.Addr().String()
}

func errorOf(_ string, err error) error { return err }

// What cannot be followed is refused before a stream begins, with the field or the round named.
func TestRefusedStreams(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *settings) { cfg.Guard = roundtest.Guard(t, "the-token-for-reading") })
	read := []string{"Authorization", "Bearer the-token-for-reading"}
	if got := b.ask(t, http.MethodGet, "/api/v1/rounds/latest/events", "", read...); got.status != http.StatusNotFound {
		t.Errorf("latest without a round: %d %s", got.status, got.body)
	}
	round := b.runs(t)
	if got := b.ask(t, http.MethodGet, "/api/v1/rounds/"+round+"/events", ""); got.status != http.StatusUnauthorized {
		t.Errorf("without a token: %d %s", got.status, got.body)
	}
	for _, c := range []struct {
		path, header, want string
		status             int
	}{
		{round + "/events", "abc", `Last-Event-ID: \"abc\"`, 400},
		{round + "/events", "-1", `Last-Event-ID: \"-1\"`, 400},
		{round + "/events", "18446744073709551616", `Last-Event-ID: \"184467`, 400},
		{round + "/events?after=3", "1.5", `Last-Event-ID: \"1.5\"`, 400},
		{round + "/events?after=x", "", `after: \"x\"`, 400},
		{round + "/events?since=3", "", "known are after", 400},
		{"r9/events", "", round, 404},
		{"a%20b/events", "", "a b", 404},
	} {
		headers := read
		if c.header != "" {
			headers = append([]string{"Last-Event-ID", c.header}, read...)
		}
		if got := b.ask(t, http.MethodGet, "/api/v1/rounds/"+c.path, "", headers...); got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s with %q: %d %s, want %d that names %s", c.path, c.header, got.status, got.body, c.status, c.want)
		}
	}
	if got := b.ask(t, http.MethodHead, "/api/v1/rounds/"+round+"/events", "", read...); got.status != http.StatusOK || got.body != "" {
		t.Errorf("HEAD: %d %q, want 200 without a stream", got.status, got.body)
	}
	b.follow(t, round, "", read...).until(view.EventProgress)
}

// As many viewers as there is room for leave the API to others, and the next one is told to come
// back. They take one look at the round; and when the API closes, each stream ends at once and
// as it should, not cut off when the time of grace is over.
func TestManyViewers(t *testing.T) {
	t.Parallel()
	b := servers(t)
	round := b.runs(t)
	server := b.serve(t)
	b.takes(t, round)
	var all []*stream
	for range view.MaxViewers {
		s := b.follow(t, round, "")
		s.until(view.EventProgress)
		all = append(all, s)
	}
	for range 16 { // twice the requests that are at work at once
		if got := b.ask(t, http.MethodGet, "/api/v1/rounds/"+round, ""); got.status != http.StatusOK {
			t.Fatalf("a request beside the viewers: %d %s", got.status, got.body)
		}
	}
	if got := b.ask(t, http.MethodGet, "/api/v1/rounds/"+round+"/events", ""); got.status != http.StatusServiceUnavailable ||
		got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "/problems/busy") {
		t.Errorf("one viewer more: %d %v %s, want busy", got.status, got.header, got.body)
	}
	b.takes(t, round)
	for _, s := range all {
		if told := s.until(view.EventProgress); len(told) != 2 || told[0].Miner.Phase != job.Planned {
			t.Errorf("a viewer is told %v, want that the miner is handed back", short(told))
		}
	}
	must.Do(t, all[0].body.Close()) // there is room for another one soon
	must.Do(t, server.Close())
	for _, s := range all[1:] {
		if _, err := s.next(); !errors.Is(err, io.EOF) {
			t.Errorf("a stream ended with %v, want EOF", err)
		}
	}
}

// pipes is a listener whose connections hold nothing back: what is written waits until it is read.
type pipes struct {
	net.Listener

	conns chan net.Conn
	close func()
}

func (p pipes) Close() error {
	p.close()
	return p.Listener.Close()
}

func (p pipes) Accept() (net.Conn, error) {
	conn, open := <-p.conns
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// A viewer that reads nothing keeps nobody waiting, and its stream ends.
func TestAViewerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	b := servers(t)
	round := b.runs(t)
	cfg := b.config(t)
	api := cfg.open(t)
	over := make(chan struct{})
	dead := listen.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { defer close(over); api.ServeHTTP(w, r) }), time.Minute, jobstreamtest.Quiet())
	conns := make(chan net.Conn, 1)
	address := must.Get(new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t)
	b.handle(t, dead, pipes{address, conns, sync.OnceFunc(func() { close(conns) })})
	client, accepted := net.Pipe()
	conns <- accepted
	_, err := io.WriteString(client, "GET /api/v1/rounds/"+round+"/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	must.Do(t, err)

	b.handle(t, listen.HTTP(api, time.Minute, jobstreamtest.Quiet()), must.Get(new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t))
	t.Cleanup(cfg.Hub.Close)
	s := b.follow(t, round, "")
	s.until(view.EventProgress)
	for range 3 {
		b.takes(t, round)
		s.until(view.EventProgress)
	}
	select {
	case <-over:
	case <-time.After(time.Minute):
		t.Error("the stream of a viewer that does not read has not ended after a minute")
	}
	must.Do(t, client.Close())
}
