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
	metricsv1 "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver is an OTLP collector that keeps what it is sent.
type receiver struct {
	collector.UnimplementedTraceServiceServer

	mu   sync.Mutex
	got  []*traces.ResourceSpans
	sums map[string]int64 // the counters' last values, by name
	path string
}

// ofMetrics is the receiver's other service: both have a method Export.
type ofMetrics struct {
	metricsv1.UnimplementedMetricsServiceServer

	r *receiver
}

func (o ofMetrics) Export(_ context.Context, in *metricsv1.ExportMetricsServiceRequest) (*metricsv1.ExportMetricsServiceResponse, error) {
	o.r.mu.Lock()
	defer o.r.mu.Unlock()
	if o.r.sums == nil {
		o.r.sums = map[string]int64{}
	}
	for _, resource := range in.GetResourceMetrics() {
		for _, scope := range resource.GetScopeMetrics() {
			for _, m := range scope.GetMetrics() {
				o.r.sums[m.GetName()] = total(m)
			}
		}
	}
	return &metricsv1.ExportMetricsServiceResponse{}, nil
}

// total is a counter's, all attributes together.
func total(m *metrics.Metric) (sum int64) {
	for _, point := range m.GetSum().GetDataPoints() {
		sum += point.GetAsInt()
	}
	return sum
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
	if err != nil || req.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "not OTLP", http.StatusBadRequest)
		return
	}
	answer, err := r.take(req.Context(), req.URL.Path, data)
	if err != nil {
		http.Error(w, "not OTLP", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer)
}

// take takes what came by HTTP.
func (r *receiver) take(ctx context.Context, path string, data []byte) ([]byte, error) {
	r.mu.Lock()
	r.path = path
	r.mu.Unlock()
	if path == "/v1/metrics" {
		var in metricsv1.ExportMetricsServiceRequest
		if err := proto.Unmarshal(data, &in); err != nil {
			return nil, err
		}
		out, _ := ofMetrics{r: r}.Export(ctx, &in)
		return proto.Marshal(out)
	}
	var in collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(data, &in); err != nil {
		return nil, err
	}
	out, _ := r.Export(ctx, &in)
	return proto.Marshal(out)
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
	listener := must.Get(net.Listen("tcp", "127.0.0.1:0"))(t)
	r := &receiver{}
	server := grpc.NewServer()
	done := make(chan error, 1)
	collector.RegisterTraceServiceServer(server, r)
	metricsv1.RegisterMetricsServiceServer(server, ofMetrics{r: r})
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-done })
	return r, "http://" + listener.Addr().String()
}

// set sets the process up and undoes it, so that a later test begins without.
// Such tests cannot be parallel: provider and environment are the process's.
func set(t *testing.T, env map[string]string) func(context.Context) error {
	t.Helper()
	t.Setenv("OTEL_METRICS_EXPORTER", "none") // the receiver is one of traces
	for name, value := range env {
		t.Setenv(name, value)
	}
	shutdown := must.Get(telemetry.Setup(t.Context(), telemetry.Config{Service: "worker", Version: "v1.2.3", Instance: "host-1"}))(t)
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	return shutdown
}
