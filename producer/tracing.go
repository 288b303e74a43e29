package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
)

// defaultCollector is where Jaeger and the OpenTelemetry collector listen.
const defaultCollector = "http://localhost:4318"

// The settings that --trace fills in, for this process and for the workers
// that it starts.
const (
	endpointSetting       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	tracesEndpointSetting = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
)

func traceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{
			Name: "trace", Category: command.GroupSeeing, Sources: command.Env("trace"),
			Usage: "send traces to a collector on this machine (" + defaultCollector + "), unless OTEL_EXPORTER_OTLP_ENDPOINT names " +
				"another, and print the link to the round's trace",
		},
		&cli.StringFlag{
			Name: "jaeger", Category: command.GroupSeeing, Sources: command.Env("jaeger"), Value: "http://localhost:16686",
			Usage: "base `URL` of Jaeger's pages, for links to traces",
		},
	}
}

// jaegerURL checks the setting here, where an error need not repeat it.
func jaegerURL(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return "", command.Usage("--jaeger: want a URL such as http://localhost:16686, without credentials")
	}
	return strings.TrimRight(address, "/"), nil
}

// tracing is what --trace adds to a round. It is nil without the flag.
type tracing struct {
	out    io.Writer
	jaeger string
	link   string
}

// newTracing sets what the environment leaves open. A collector that does not
// listen costs the traces and not the round.
func newTracing(ctx context.Context, c *cli.Command, log *slog.Logger, out io.Writer) (*tracing, error) {
	jaeger, err := jaegerURL(c.String("jaeger"))
	if err != nil || !c.Bool("trace") {
		return nil, err
	}
	collector := cmp.Or(strings.TrimSpace(os.Getenv(tracesEndpointSetting)), strings.TrimSpace(os.Getenv(endpointSetting)))
	if collector == "" {
		collector = defaultCollector
		// With the path: a setting of traces alone is taken as it is.
		if err := os.Setenv(tracesEndpointSetting, defaultCollector+"/v1/traces"); err != nil {
			return nil, fmt.Errorf("--trace: %w", err)
		}
	}
	if err := listens(ctx, collector); err != nil {
		log.WarnContext(ctx, "--trace: no collector listens, the round goes on without traces: "+
			"start one (make jaeger builds bin/jaeger, which has one), or name it with "+endpointSetting, "error", err)
	}
	return &tracing{out: out, jaeger: jaeger}, nil
}

// listens says whether somebody takes connections where the URL points.
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
	_ = conn.Close() // it was only looked at
	return nil
}

// begun prints the link as soon as there is something to see.
func (t *tracing) begun(id string) {
	if t == nil {
		return
	}
	t.link = t.jaeger + "/trace/" + id
	fmt.Fprintln(t.out, "trace: "+t.link)
}

// ended prints it again, below all that has been printed since.
func (t *tracing) ended() {
	if t != nil && t.link != "" {
		fmt.Fprintln(t.out, "trace: "+t.link)
	}
}
