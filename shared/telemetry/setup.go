package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
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
	// Version is the build's. Default: the main module's version as the build
	// recorded it.
	Version string
	// Instance tells processes of one kind apart; may be empty.
	Instance string
	// Log hears of exports that fail. Default slog.Default().
	Log *slog.Logger
}

// Setup installs the process's tracer provider and propagator as the
// environment says, and returns what sends the last spans and stops it: within
// the context that it is given, and a second time without effect. Setup is to
// be called once, by main.
func Setup(ctx context.Context, cfg Config) (shutdown func(context.Context) error, err error) {
	if cfg.Service == "" {
		return nil, errors.New("telemetry: Service is empty, want the kind of process")
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	env := settings(os.Getenv)
	if err := env.check(); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	// Without an exporter a trace that comes in a message is still handed on.
	otel.SetTextMapPropagator(propagation.TraceContext{})
	if env.off() {
		return func(context.Context) error { return nil }, nil
	}
	exporter, err := env.exporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("telemetry: making the exporter: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(newSeldom(cfg.Log, time.Minute).handle))
	batcher := trace.NewBatchSpanProcessor(exporter)
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(batcher), trace.WithResource(cfg.resource()))
	otel.SetTracerProvider(provider)
	return func(ctx context.Context) error {
		// With a context that has ended the provider would leave the batcher running.
		return errors.Join(provider.Shutdown(ctx), batcher.Shutdown(ctx))
	}, nil
}

// exporter is the one of the protocol that is set. It reads its own settings.
func (env settings) exporter(ctx context.Context) (*otlptrace.Exporter, error) {
	if _, protocol := env.first("PROTOCOL"); protocol == "grpc" {
		return otlptracegrpc.New(ctx) //nolint:wrapcheck // Setup names it
	}
	return otlptracehttp.New(ctx) //nolint:wrapcheck // as above
}

// resource names the process; OTEL_RESOURCE_ATTRIBUTES adds to it.
func (c Config) resource() *resource.Resource {
	version := c.Version
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		version = info.Main.Version
	}
	attributes := []attribute.KeyValue{
		attribute.String("service.namespace", Scope), attribute.String("service.name", c.Service),
	}
	for key, value := range map[attribute.Key]string{"service.version": version, "service.instance.id": c.Instance} {
		if value != "" {
			attributes = append(attributes, key.String(value))
		}
	}
	return resource.NewSchemaless(attributes...)
}
