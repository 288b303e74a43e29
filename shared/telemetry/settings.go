package telemetry

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The settings are OpenTelemetry's own, read by its exporters and its SDK.
// Those only log a value that means nothing and go on without it; here it is
// refused, so that nobody looks for traces that a typing error switched off.

// prefix and tracesPrefix begin an exporter's settings; the second form wins.
const (
	prefix       = "OTEL_EXPORTER_OTLP_"
	tracesPrefix = "OTEL_EXPORTER_OTLP_TRACES_"

	endpoint = "ENDPOINT"
	headers  = "HEADERS"
)

// settings is the environment, as os.Getenv gives it.
type settings func(string) string

// first is the exporter's setting of that name in the form that is set; the
// general form when neither is.
func (env settings) first(name string) (setting, value string) {
	if value = strings.TrimSpace(env(tracesPrefix + name)); value != "" {
		return tracesPrefix + name, value
	}
	return prefix + name, strings.TrimSpace(env(prefix + name))
}

// off says that the environment asks for no traces.
func (env settings) off() bool {
	_, address := env.first(endpoint)
	return address == "" || strings.EqualFold(strings.TrimSpace(env("OTEL_SDK_DISABLED")), "true") ||
		strings.TrimSpace(env("OTEL_TRACES_EXPORTER")) == "none"
}

// check refuses the first setting whose value means nothing. Values that may be
// secrets are not repeated.
func (env settings) check() error {
	for _, name := range []string{endpoint, "PROTOCOL", "COMPRESSION", "TIMEOUT", headers, "CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"} {
		setting, value := env.first(name)
		if value == "" {
			continue
		}
		if want := exporterWants(name, value); want != "" {
			if name == endpoint || name == headers { // both may hold credentials
				return fmt.Errorf("%s: want %s", setting, want)
			}
			return fmt.Errorf("%s is %q, want %s", setting, value, want)
		}
	}
	for _, setting := range []string{
		"OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG",
		"OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
	} {
		value := strings.TrimSpace(env(setting))
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
	case "OTEL_TRACES_EXPORTER":
		return among(value, "otlp", "none")
	case "OTEL_SDK_DISABLED":
		return among(strings.ToLower(value), "true", "false")
	case "OTEL_TRACES_SAMPLER":
		return among(strings.ToLower(value), "always_on", "always_off", "traceidratio",
			"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio")
	case "OTEL_TRACES_SAMPLER_ARG":
		ratio, err := strconv.ParseFloat(value, 64)
		return unless(err == nil && ratio >= 0 && ratio <= 1, "a ratio from 0 to 1")
	}
	return positive(value, "") // the batcher's
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
