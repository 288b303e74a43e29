package telemetry

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/sdk/trace"
)

// The settings are OpenTelemetry's own, read by its exporters and its SDK, which
// log what they find odd and go on without it. What is refused here is what they
// could not go on with.

// prefix begins the settings of all exporters, the others those of one; a
// setting of one wins.
const (
	prefix        = "OTEL_EXPORTER_OTLP_"
	tracesPrefix  = "OTEL_EXPORTER_OTLP_TRACES_"
	metricsPrefix = "OTEL_EXPORTER_OTLP_METRICS_"

	endpoint = "ENDPOINT"
	headers  = "HEADERS"

	queueSetting = "OTEL_BSP_MAX_QUEUE_SIZE"
	batchSetting = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
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
func (env settings) traces() bool  { return env.wants(tracesPrefix, "OTEL_TRACES_EXPORTER") }
func (env settings) metrics() bool { return env.wants(metricsPrefix, "OTEL_METRICS_EXPORTER") }

func (env settings) wants(own, exporter string) bool {
	return env.of(own, endpoint) != "" && !strings.EqualFold(env.get("OTEL_SDK_DISABLED"), "true") && env.get(exporter) != "none"
}

// defaultQueue holds what a fleet at the mirror's rate records in more than ten
// minutes, 20 spans a second: the SDK does not say what it drops when the queue is
// full, and a slow collector is not to fill it. The SDK's own default is 2048.
const defaultQueue = 16384

// maxQueue is a gigabyte of spans or more.
const maxQueue = 1 << 20

// queue is how many spans wait for the collector at most.
func (env settings) queue() (options []trace.BatchSpanProcessorOption) {
	if env.get(queueSetting) == "" {
		options = append(options, trace.WithMaxQueueSize(defaultQueue))
	}
	return options
}

// check refuses an endpoint that is none, without repeating it: it may hold
// credentials. And it refuses sizes with which the SDK panics.
func (env settings) check() error {
	for _, of := range []string{prefix, tracesPrefix, metricsPrefix} {
		if value := env.get(of + endpoint); value != "" {
			u, err := url.Parse(value)
			if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
				return fmt.Errorf("%s: want a URL such as http://localhost:4318", of+endpoint)
			}
		}
	}
	for _, setting := range []string{queueSetting, batchSetting} {
		if n, err := strconv.Atoi(env.get(setting)); err == nil && (n < 1 || n > maxQueue) {
			return fmt.Errorf("%s is %d, want a number from 1 to %d", setting, n, maxQueue)
		}
	}
	return nil
}
