package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
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
	// Metrics is where metrics are registered for Prometheus to read (Pages
	// serves them); nil for nowhere.
	Metrics *prometheus.Registry
	// Log hears of exports that fail. Default slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

func (c Config) validate() error {
	if c.Service == "" {
		return errors.New("telemetry: Service is empty, want the kind of process")
	}
	return nil
}

// Setup installs the process's tracer and meter providers and its propagator as
// the environment says, and returns what sends the last spans and metrics and
// stops them: within the context that it is given, and a second time without
// effect. Setup is to be called once, by main.
func Setup(ctx context.Context, cfg Config) (shutdown func(context.Context) error, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	env := settings(os.Getenv)
	if err := env.check(); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	// Without an exporter a trace that comes in a message is still handed on.
	otel.SetTextMapPropagator(propagation.TraceContext{})
	scrub := env.scrubber()
	hear(cfg.Log, scrub)
	stopMetrics, err := env.setupMetrics(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("telemetry: metrics: %w", err)
	}
	stopTraces, err := env.setupTraces(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("telemetry: traces: %w", errors.Join(err, stopMetrics(ctx)))
	}
	var once sync.Once
	return func(ctx context.Context) (err error) {
		once.Do(func() {
			if failed := errors.Join(stopTraces(ctx), stopMetrics(ctx)); failed != nil {
				err = errors.New(scrub(failed.Error())) // it may be an answer of the collector's
			}
		})
		return err
	}, nil
}

// measuring says that somebody can read the metrics.
var measuring atomic.Bool //nolint:gochecknoglobals // as OpenTelemetry's own provider

// Measuring says whether anybody can read what is measured: what has to be
// looked up for the metrics alone need not be when nobody can.
func Measuring() bool { return measuring.Load() }

func nothing(context.Context) error { return nil }

func (env settings) setupTraces(ctx context.Context, cfg Config) (func(context.Context) error, error) {
	if !env.traces() {
		return nothing, nil
	}
	exporter, err := env.spanExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("making the exporter: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(Identify()), trace.WithBatcher(exporter, env.queue()...),
		trace.WithIDGenerator(ids{}), trace.WithResource(cfg.resource()))
	otel.SetTracerProvider(provider)
	return provider.Shutdown, nil
}

// setupMetrics lets metrics be read by Prometheus, sent by OTLP, or both.
func (env settings) setupMetrics(ctx context.Context, cfg Config) (func(context.Context) error, error) {
	options := []sdkmetric.Option{sdkmetric.WithResource(cfg.resource())}
	if cfg.Metrics != nil {
		reader, err := otelprom.New(otelprom.WithRegisterer(cfg.Metrics), otelprom.WithoutScopeInfo(),
			otelprom.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes))
		if err != nil {
			return nil, fmt.Errorf("making the exporter for Prometheus: %w", err)
		}
		if err := errors.Join(cfg.Metrics.Register(collectors.NewGoCollector()),
			cfg.Metrics.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))); err != nil {
			return nil, fmt.Errorf("registering the runtime's metrics: %w", err)
		}
		options = append(options, sdkmetric.WithReader(reader))
	}
	if env.metrics() {
		exporter, err := env.metricExporter(ctx)
		if err != nil {
			return nil, fmt.Errorf("making the exporter: %w", err)
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	}
	if len(options) == 1 {
		return nothing, nil
	}
	provider := sdkmetric.NewMeterProvider(options...)
	otel.SetMeterProvider(provider)
	measuring.Store(true)
	fromZero(ctx, cfg.Service)
	return func(ctx context.Context) error {
		measuring.Store(false)
		return provider.Shutdown(ctx)
	}, nil
}

// spanExporter is the one of the protocol that is set. It reads its own
// settings.
func (env settings) spanExporter(ctx context.Context) (*otlptrace.Exporter, error) {
	if env.of(tracesPrefix, "PROTOCOL") == "grpc" {
		return otlptracegrpc.New(ctx) //nolint:wrapcheck // its caller names it
	}
	return otlptracehttp.New(ctx) //nolint:wrapcheck // as above
}

func (env settings) metricExporter(ctx context.Context) (sdkmetric.Exporter, error) {
	if env.of(metricsPrefix, "PROTOCOL") == "grpc" {
		return otlpmetricgrpc.New(ctx) //nolint:wrapcheck // its caller names it
	}
	return otlpmetrichttp.New(ctx) //nolint:wrapcheck // as above
}

// Pages serves metrics to Prometheus, with exemplars in the OpenMetrics
// format.
func Pages(metrics *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(metrics, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.ContinueOnError})
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
