package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Config is what a process says of itself.
type Config struct {
	// Service is the kind of process, "producer" or "worker". Required.
	Service string
	// Instance tells processes of one kind apart; may be empty.
	Instance string
	// Log hears of exports that fail. Default slog.Default().
	Log *slog.Logger
}

// Setup installs the process's tracer provider and propagator as the
// environment says, and returns what flushes and stops it. It is to be called
// once, by main.
func Setup(ctx context.Context, cfg Config) (shutdown func(context.Context) error, err error) {
	if cfg.Service == "" {
		return nil, errors.New("telemetry: Service is empty, want the kind of process")
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	otel.SetTextMapPropagator(propagation.TraceContext{})
	exporter, err := exporter(ctx, os.Getenv)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	if exporter == nil {
		return func(context.Context) error { return nil }, nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(newSeldom(cfg.Log, time.Minute).handle))
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(resource.NewSchemaless(
		attribute.String("service.namespace", Scope),
		attribute.String("service.name", cfg.Service),
		attribute.String("service.instance.id", cfg.Instance),
	)))
	otel.SetTracerProvider(provider)
	return provider.Shutdown, nil
}

// exporter is the one that the environment asks for, nil when it asks for
// none. The endpoints, headers and time-outs themselves are read by the
// exporters, as the OpenTelemetry specification has them.
func exporter(ctx context.Context, env func(string) string) (*otlptrace.Exporter, error) {
	setting, endpoint := first(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	if endpoint == "" {
		return nil, nil //nolint:nilnil // no endpoint: traces are off
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%s is %q, want a URL such as http://localhost:4318", setting, endpoint)
	}
	setting, protocol := first(env, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
	switch protocol {
	case "", "http/protobuf":
		return otlptracehttp.New(ctx)
	case "grpc":
		return otlptracegrpc.New(ctx)
	}
	return nil, fmt.Errorf("%s is %q, want http/protobuf or grpc", setting, protocol)
}

// first is the first of the settings that has a value, or the last one.
func first(env func(string) string, settings ...string) (setting, value string) {
	for _, setting = range settings {
		if value = env(setting); value != "" {
			break
		}
	}
	return setting, value
}
