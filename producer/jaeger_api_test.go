package main_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	traces "go.opentelemetry.io/proto/otlp/trace/v1"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// jaeger is a real Jaeger in one process, with its store in memory.
type jaeger struct{ pages, otlp string }

// startJaeger starts the Jaeger that make jaeger has built, on free ports. Building takes
// minutes, so the test is skipped unless MIRRORFLEET_JAEGER names one.
func startJaeger(t *testing.T) *jaeger {
	t.Helper()
	binary := os.Getenv("MIRRORFLEET_JAEGER")
	if binary == "" {
		t.Skip("MIRRORFLEET_JAEGER names no Jaeger: make trace-test builds one and runs this test")
	}
	for range 5 { // another process may take a free port before Jaeger does
		free := func() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(nettest.FreePort(t))) }
		pages := free()
		grpc := free()
		otlp := free()
		args := []string{"--config", filepath.Join("testdata", "jaeger.yaml")}
		if pages := os.Getenv("MIRRORFLEET_JAEGER_UI"); pages != "" { // the module has none
			args = append(args, "--set", "extensions.jaeger_query.ui.assets_path="+pages)
		}
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Env = append(os.Environ(), "JAEGER_PAGES="+pages, "JAEGER_GRPC="+grpc, "JAEGER_OTLP="+otlp)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatalf("starting Jaeger: %v", err)
		}
		done := make(chan struct{})
		go func() { _ = cmd.Wait(); close(done) }()
		t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
		if answers(t, otlp, done) && answers(t, pages, done) {
			return &jaeger{"http://" + pages, "http://" + otlp + "/v1/traces"}
		}
		t.Logf("Jaeger does not start:\n%s", stderr.String())
	}
	t.Fatal("Jaeger does not start on any of five free ports")
	return nil
}

// answers waits until a server listens at address, or its process has ended.
func answers(t *testing.T, address string, done <-chan struct{}) bool {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return true
		}
		select {
		case <-done:
			return false
		case <-ticker.C:
		}
	}
}

// free is an address on which nobody listens.
// jaegerTrace is a trace as Jaeger's pages get it.
//
//nolint:tagliatelle // the names are Jaeger's
type jaegerTrace struct {
	ID        string       `json:"traceID"`
	Spans     []jaegerSpan `json:"spans"`
	Processes map[string]struct {
		Service string `json:"serviceName"`
	} `json:"processes"`
	Warnings []string `json:"warnings"`
}

//nolint:tagliatelle // as above
type jaegerSpan struct {
	Trace      string `json:"traceID"`
	ID         string `json:"spanID"`
	Name       string `json:"operationName"`
	References []struct {
		Type  string `json:"refType"`
		Trace string `json:"traceID"`
		Span  string `json:"spanID"`
	} `json:"references"`
	Start    uint64      `json:"startTime"` // microseconds
	Duration uint64      `json:"duration"`
	Tags     []jaegerTag `json:"tags"`
	Logs     []struct {
		Fields []jaegerTag `json:"fields"`
	} `json:"logs"`
	Process  string   `json:"processID"`
	Warnings []string `json:"warnings"`
}

type jaegerTag struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// get asks Jaeger's query API.
func (j *jaeger) get(t *testing.T, path string) ([]jaegerTrace, int) {
	t.Helper()
	status, body := nettest.Get(t, j.pages+path)
	var answer struct {
		Data []jaegerTrace `json:"data"`
	}
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		t.Fatalf("%s: %d, %v\n%.500s", path, status, err, body)
	}
	return answer.Data, status
}

// search does what a person does in Jaeger: choose a service, give one tag, and find.
func (j *jaeger) search(t *testing.T, service, key, value string) *collector {
	t.Helper()
	tags := must.Get(json.Marshal(map[string]string{key: value}))(t)
	found, status := j.get(t, "/api/traces?"+url.Values{"service": {service}, "tags": {string(tags)}, "limit": {"100"}, "lookback": {"1h"}}.Encode())
	if status != http.StatusOK {
		t.Errorf("searching %s for %s=%s: status %d", service, key, value, status)
	}
	return seenBy(t, found)
}

// seenBy are the spans of Jaeger's traces as a collector receives them. A span with a
// missing parent, or with a warning of Jaeger's, is an error.
func seenBy(t *testing.T, found []jaegerTrace) *collector {
	t.Helper()
	c := &collector{}
	for _, trace := range found {
		for _, span := range trace.Spans {
			warnings := slices.DeleteFunc(slices.Concat(span.Warnings, trace.Warnings), guessed)
			if len(warnings) > 0 {
				t.Errorf("Jaeger warns of span %q: %q", span.Name, warnings)
			}
			c.spans = append(c.spans, span.seen(trace.Processes[span.Process].Service))
		}
	}
	return c
}

// guessed says that a warning is Jaeger's guess that clocks differ, because a
// span begins after its parent has ended: as a queue's and a replay's do.
func guessed(warning string) bool {
	return strings.HasPrefix(warning, "clock skew adjustment disabled")
}

func (s jaegerSpan) seen(service string) *seenSpan {
	seen := &seenSpan{service: service, trace: s.Trace, id: s.ID, attrs: fields(s.Tags), Span: &traces.Span{
		TraceId: unhex(s.Trace), SpanId: unhex(s.ID), Name: s.Name, Status: &traces.Status{},
		StartTimeUnixNano: s.Start * 1000, EndTimeUnixNano: (s.Start + s.Duration) * 1000,
	}}
	seen.Kind = traces.Span_SpanKind(traces.Span_SpanKind_value["SPAN_KIND_"+strings.ToUpper(seen.attrs["span.kind"])])
	if seen.attrs["error"] == "true" {
		seen.Status = &traces.Status{Code: traces.Status_STATUS_CODE_ERROR, Message: seen.attrs["otel.status_description"]}
	}
	for _, r := range s.References {
		if r.Type == "CHILD_OF" {
			seen.parent = r.Span
			continue
		}
		seen.Links = append(seen.Links, &traces.Span_Link{TraceId: unhex(r.Trace), SpanId: unhex(r.Span)})
	}
	for _, log := range s.Logs {
		seen.Events = append(seen.Events, &traces.Span_Event{Name: fields(log.Fields)["event"]})
	}
	return seen
}

func fields(tags []jaegerTag) map[string]string {
	all := map[string]string{}
	for _, tag := range tags {
		all[tag.Key] = fmt.Sprint(tag.Value)
	}
	return all
}

func unhex(id string) []byte {
	raw, _ := hex.DecodeString(id) // what is no id equals none
	return raw
}

// ids are the traces of the spans.
func (c *collector) ids() []string {
	var all []string
	for _, span := range c.find("") {
		all = append(all, span.trace)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
