package main_test

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	metricsv1 "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracesv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector receives spans and metrics by OTLP, as a real receiver of the real protocol.
type collector struct {
	mu      sync.Mutex
	spans   []*seenSpan
	metrics map[string]string // by name: all that was ever said of it
	raw     strings.Builder   // everything that came, as text
}

// seenSpan is a span as the collector received it.
type seenSpan struct {
	*traces.Span

	service string
	trace   string
	id      string
	parent  string
	attrs   map[string]string
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := c.take(r); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (c *collector) take(r *http.Request) error {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = unpacked
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.URL.Path {
	case "/v1/traces":
		return c.takeSpans(data)
	case "/v1/metrics":
		return c.takeMetrics(data)
	}
	return fmt.Errorf("path %s, want /v1/traces or /v1/metrics", r.URL.Path)
}

func (c *collector) takeSpans(data []byte) error {
	var request tracesv1.ExportTraceServiceRequest
	if err := proto.Unmarshal(data, &request); err != nil {
		return err
	}
	c.raw.WriteString(request.String())
	for _, resource := range request.GetResourceSpans() {
		service := attributes(resource.GetResource().GetAttributes())["service.name"]
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.spans = append(c.spans, &seenSpan{
					Span: span, service: service, trace: hex.EncodeToString(span.GetTraceId()), id: hex.EncodeToString(span.GetSpanId()),
					parent: hex.EncodeToString(span.GetParentSpanId()), attrs: attributes(span.GetAttributes()),
				})
			}
		}
	}
	return nil
}

func (c *collector) takeMetrics(data []byte) error {
	var request metricsv1.ExportMetricsServiceRequest
	if err := proto.Unmarshal(data, &request); err != nil {
		return err
	}
	if c.metrics == nil {
		c.metrics = map[string]string{}
	}
	c.raw.WriteString(request.String())
	for _, resource := range request.GetResourceMetrics() {
		for _, scope := range resource.GetScopeMetrics() {
			for _, metric := range scope.GetMetrics() {
				c.metrics[metric.GetName()] += metric.String() + "\n"
			}
		}
	}
	return nil
}

// attributes are a span's, as text.
func attributes(list []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			all[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			all[a.GetKey()] = fmt.Sprint(v.IntValue)
		case *common.AnyValue_BoolValue:
			all[a.GetKey()] = fmt.Sprint(v.BoolValue)
		default:
			all[a.GetKey()] = a.GetValue().String()
		}
	}
	return all
}

// find lists the spans of a name that have all of the attributes, by start.
func (c *collector) find(name string, attrs ...string) []*seenSpan {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []*seenSpan
	for _, s := range c.spans {
		if name != "" && s.GetName() != name {
			continue
		}
		if !slices.ContainsFunc(attrs, func(a string) bool {
			key, value, _ := strings.Cut(a, "=")
			return s.attrs[key] != value
		}) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *seenSpan) int {
		return int(int64(a.GetStartTimeUnixNano()) - int64(b.GetStartTimeUnixNano()))
	})
	return found
}

// text is all that was received.
func (c *collector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}

func (c *collector) metric(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.metrics[name]
}
