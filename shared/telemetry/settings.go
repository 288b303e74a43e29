package telemetry

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/sdk/trace"
)

// The settings are OpenTelemetry's own, read by its exporters and its SDK.
// Those only log a value that means nothing and go on without it; here it is
// refused, so that nobody looks for traces that a typing error switched off.

// prefix begins the settings of all exporters, the others those of one; a
// setting of one wins.
const (
	prefix        = "OTEL_EXPORTER_OTLP_"
	tracesPrefix  = "OTEL_EXPORTER_OTLP_TRACES_"
	metricsPrefix = "OTEL_EXPORTER_OTLP_METRICS_"

	endpoint = "ENDPOINT"
	headers  = "HEADERS"

	samplerSetting  = "OTEL_TRACES_SAMPLER"
	ratioSetting    = "OTEL_TRACES_SAMPLER_ARG"
	queueSetting    = "OTEL_BSP_MAX_QUEUE_SIZE"
	tracesExporter  = "OTEL_TRACES_EXPORTER"
	metricsExporter = "OTEL_METRICS_EXPORTER"
)

// settings is the environment, as os.Getenv gives it.
type settings func(string) string

func (env settings) get(setting string) string { return strings.TrimSpace(env(setting)) }

// of is a setting of one exporter: its own or, when that is not set, the one
// of all.
func (env settings) of(own, name string) string {
	if value := env.get(own + name); value != "" {
		return value
	}
	return env.get(prefix + name)
}

// traces and metrics say whether the environment asks for them by OTLP.
func (env settings) traces() bool {
	return env.wants(tracesPrefix, tracesExporter) && !env.neverSamples()
}
func (env settings) metrics() bool { return env.wants(metricsPrefix, metricsExporter) }

func (env settings) wants(own, exporter string) bool {
	return env.of(own, endpoint) != "" && !strings.EqualFold(env.get("OTEL_SDK_DISABLED"), "true") && env.get(exporter) != "none"
}

// neverSamples says that nothing at all is to be traced.
func (env settings) neverSamples() bool {
	return strings.EqualFold(env.get(samplerSetting), "always_off")
}

// DefaultRatio is the share of traces that is sampled without a setting. What
// failed, was degraded or tried again is kept beside it; the rest is for
// comparison, and each trace costs the worker a few per cent of its job.
const DefaultRatio = 0.1

// sampler is what decides at a trace's start.
func (env settings) sampler() trace.Sampler {
	ratio := DefaultRatio
	if value := env.get(ratioSetting); value != "" {
		ratio, _ = strconv.ParseFloat(value, 64) // it was checked
	}
	switch strings.ToLower(env.get(samplerSetting)) {
	case "always_on":
		return trace.AlwaysSample()
	case "traceidratio":
		return trace.TraceIDRatioBased(ratio)
	case "parentbased_always_on":
		return trace.ParentBased(trace.AlwaysSample())
	case "parentbased_always_off":
		return trace.ParentBased(trace.NeverSample())
	}
	return trace.ParentBased(trace.TraceIDRatioBased(ratio))
}

// defaultQueue holds the largest trace twice: one that is kept at its end goes out
// as a whole, with its most telling spans last. OpenTelemetry's own default,
// 2048, would lose those.
const defaultQueue = 2 * mostOfTrace

// queue is how many spans wait for the collector at most.
func (env settings) queue() int {
	if n, err := strconv.Atoi(env.get(queueSetting)); err == nil {
		return n
	}
	return defaultQueue
}

// check refuses the first setting whose value means nothing. Values that may be
// secrets are not repeated.
func (env settings) check() error {
	for _, of := range []string{prefix, tracesPrefix, metricsPrefix} {
		for _, name := range []string{
			endpoint, "PROTOCOL", "COMPRESSION", "TIMEOUT", headers, "CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY",
		} {
			value := env.get(of + name)
			want := exporterWants(name, value)
			switch {
			case value == "" || want == "":
			case name == endpoint || name == headers: // both may hold credentials
				return fmt.Errorf("%s: want %s", of+name, want)
			default:
				return fmt.Errorf("%s is %q, want %s", of+name, value, want)
			}
		}
	}
	for _, setting := range []string{
		tracesExporter, metricsExporter, "OTEL_SDK_DISABLED", samplerSetting, ratioSetting,
		"OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", queueSetting, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
		"OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT", "OTEL_METRICS_EXEMPLAR_FILTER",
	} {
		value := env.get(setting)
		if value == "" {
			continue
		}
		if want := sdkWants(setting, value); want != "" {
			return fmt.Errorf("%s is %q, want %s", setting, value, want)
		}
	}
	return nil
}

// exporterWants says what would be right, "" when the value is.
func exporterWants(name, value string) string {
	switch name {
	case endpoint:
		u, err := url.Parse(value)
		return unless(err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"), "a URL such as http://localhost:4318")
	case "PROTOCOL":
		return among(value, "http/protobuf", "grpc")
	case "COMPRESSION":
		return among(value, "gzip", "none")
	case "TIMEOUT":
		return positive(value, "milliseconds")
	case headers:
		for pair := range strings.SplitSeq(value, ",") {
			key, escaped, found := strings.Cut(pair, "=")
			_, err := url.PathUnescape(escaped)
			if !found || strings.TrimSpace(key) == "" || err != nil {
				return "name=value, with commas between them and %-escapes in the values"
			}
		}
		return ""
	}
	file, err := os.Open(value)
	if err == nil {
		_ = file.Close() // it was only looked at
	}
	return unless(err == nil, "a file that can be read")
}

// sdkWants says what would be right, "" when the value is.
func sdkWants(setting, value string) string {
	switch setting {
	case tracesExporter, metricsExporter:
		return among(value, "otlp", "none")
	case "OTEL_METRICS_EXEMPLAR_FILTER":
		return among(value, "trace_based", "always_on", "always_off")
	case "OTEL_SDK_DISABLED":
		return among(strings.ToLower(value), "true", "false")
	case samplerSetting:
		return among(strings.ToLower(value), "always_on", "always_off", "traceidratio",
			"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio")
	case ratioSetting:
		ratio, err := strconv.ParseFloat(value, 64)
		return unless(err == nil && ratio >= 0 && ratio <= 1, "a ratio from 0 to 1")
	}
	return positive(value, "") // the batcher's and the reader's
}

func among(value string, allowed ...string) string {
	return unless(slices.Contains(allowed, value), "one of "+strings.Join(allowed, ", "))
}

func positive(value, unit string) string {
	n, err := strconv.Atoi(value)
	return unless(err == nil && n > 0, strings.TrimSpace("a positive number "+unit))
}

func unless(right bool, want string) string {
	if right {
		return ""
	}
	return want
}
