package telemetry_test

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace/noop"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"mirrorfleet/shared/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver is an OTLP collector that keeps what it is sent.
type receiver struct {
	collector.UnimplementedTraceServiceServer

	mu   sync.Mutex
	got  []*traces.ResourceSpans
	path string
}

func (r *receiver) Export(_ context.Context, in *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, in.GetResourceSpans()...)
	return &collector.ExportTraceServiceResponse{}, nil
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(req.Body)
	}
	data, err := io.ReadAll(body)
	var in collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(data, &in) != nil || req.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "not OTLP", http.StatusBadRequest)
		return
	}
	out, _ := r.Export(req.Context(), &in)
	r.mu.Lock()
	r.path = req.URL.Path
	r.mu.Unlock()
	answer, _ := proto.Marshal(out)
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer)
}

// spans are the received spans by name, with their process's attributes.
func (r *receiver) spans() (map[string]*traces.Span, map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	spans, resource := map[string]*traces.Span{}, map[string]string{}
	for _, rs := range r.got {
		for _, kv := range rs.GetResource().GetAttributes() {
			resource[kv.GetKey()] = kv.GetValue().GetStringValue()
		}
		for _, ss := range rs.GetScopeSpans() {
			for _, span := range ss.GetSpans() {
				spans[span.GetName()] = span
			}
		}
	}
	return spans, resource
}

func serveHTTP(t *testing.T) (*receiver, string) {
	t.Helper()
	r := &receiver{}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return r, server.URL
}

func serveGRPC(t *testing.T) (*receiver, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r, server, done := &receiver{}, grpc.NewServer(), make(chan error, 1)
	collector.RegisterTraceServiceServer(server, r)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-done })
	return r, "http://" + listener.Addr().String()
}

// set sets the process up and undoes it, so that a later test begins without.
// Such tests cannot be parallel: provider and environment are the process's.
func set(t *testing.T, env map[string]string) func(context.Context) error {
	t.Helper()
	t.Setenv("OTEL_METRICS_EXPORTER", "none") // the receiver is one of traces
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "1")
	for name, value := range env {
		t.Setenv(name, value)
	}
	shutdown, err := telemetry.Setup(t.Context(), telemetry.Config{Service: "worker", Version: "v1.2.3", Instance: "host-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	return shutdown
}
