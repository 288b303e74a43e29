package session

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// DefaultCollector is where Jaeger and the OpenTelemetry collector listen for OTLP over
// HTTP by default.
const DefaultCollector = "http://localhost:4318"

// The environment variables that PointTraces reads and sets. Children inherit them.
const (
	endpointSetting       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	tracesEndpointSetting = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
)

// PointTraces sends the traces of this process and of its children to a collector on this
// machine, unless the environment names another. If none listens there, the round runs
// without traces.
func PointTraces(ctx context.Context, log *slog.Logger) error {
	collector := cmp.Or(strings.TrimSpace(os.Getenv(tracesEndpointSetting)), strings.TrimSpace(os.Getenv(endpointSetting)))
	if collector == "" {
		collector = DefaultCollector
		// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is used as it is, so it needs the path that
		// OTEL_EXPORTER_OTLP_ENDPOINT would get appended.
		if err := os.Setenv(tracesEndpointSetting, DefaultCollector+"/v1/traces"); err != nil {
			return fmt.Errorf("--trace: %w", err)
		}
	}
	if err := listens(ctx, collector); err != nil {
		log.WarnContext(ctx, "--trace: no collector listens, the round runs without traces: "+
			"start one (make jaeger builds bin/jaeger, which has one), or name it with "+endpointSetting, "error", err)
	}
	return nil
}

// listens returns an error if nothing accepts connections where the URL points.
func listens(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil //nolint:nilerr // telemetry refuses it, by the setting's name
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), map[string]string{"https": "443"}[u.Scheme])
		if u.Scheme == "http" {
			host = net.JoinHostPort(u.Hostname(), "80")
		}
	}
	dialer := &net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return fmt.Errorf("%s: %w", host, err)
	}
	_ = conn.Close() // nothing was sent
	return nil
}
