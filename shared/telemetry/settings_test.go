package telemetry_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry"
)

func TestWrongEndpointsAreRefusedByName(t *testing.T) {
	for _, c := range []struct{ setting, value, want string }{
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "a URL"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://user:secret@collector", "a URL"},
		{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "collector:4318", "a URL"},
		// With these the SDK would panic.
		{"OTEL_BSP_MAX_QUEUE_SIZE", "-1", "from 1 to"},
		{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "-1", "from 1 to"},
	} {
		t.Run(c.setting, func(t *testing.T) {
			t.Setenv(c.setting, c.value)
			_, err := telemetry.Setup(t.Context(), telemetry.Config{Service: "worker"})
			if err == nil {
				t.Fatalf("%s=%s was taken, want it refused", c.setting, c.value)
			}
			if !strings.Contains(err.Error(), c.setting) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %q, want it to name %s and %q, and no secret", err, c.setting, c.want)
			}
		})
	}
	if _, err := telemetry.Setup(t.Context(), telemetry.Config{}); err == nil || !strings.Contains(err.Error(), "Service") {
		t.Errorf("without a service: got %v, want an error that names Service", err)
	}
}

// What the SDK finds odd is in the log in its own words, and the process goes
// on; but the headers for the collector are not, however they are wrong.
func TestTheSDKSaysWhatIsOdd(t *testing.T) {
	const secret = "s3cretOfTheCollector"
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"a sampler":                 {map[string]string{"OTEL_TRACES_SAMPLER": "sometimes"}, "unsupported sampler: sometimes"},
		"a ratio":                   {map[string]string{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"}, "greater than 1.0"},
		"a timeout":                 {map[string]string{"OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}, "parse duration"},
		"a number":                  {map[string]string{"OTEL_BSP_SCHEDULE_DELAY": "soon"}, "OTEL_BSP_SCHEDULE_DELAY=soon"},
		"an interval":               {map[string]string{"OTEL_METRIC_EXPORT_INTERVAL": "10s"}, "OTEL_METRIC_EXPORT_INTERVAL"},
		"a file":                    {map[string]string{"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/ca.pem"}, "/nowhere/ca.pem"},
		"a header without a name":   {map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": secret + " , x=y"}, "parse headers"},
		"a header with a bad name":  {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "key " + secret + "=="}, "invalid header key"},
		"a header with a bad value": {map[string]string{"OTEL_EXPORTER_OTLP_METRICS_HEADERS": "authorization=" + secret + "%zz"}, "escape header value"},
	} {
		for protocol, serve := range map[string]func(*testing.T) (*receiver, string){"http/protobuf": serveHTTP, "grpc": serveGRPC} {
			t.Run(name+" by "+protocol, func(t *testing.T) {
				_, url := serve(t)
				t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
				t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
				for setting, value := range c.env {
					t.Setenv(setting, value)
				}
				shutdown, log := watched(t)
				must.Check(t, shutdown(context.WithoutCancel(t.Context())))
				if text := log.String(); !strings.Contains(text, c.want) || strings.Contains(text, secret) {
					t.Errorf("want the log to say %q, and not the secret:\n%s", c.want, text)
				}
			})
		}
	}
}

//nolint:paralleltest // the error handler is the process's
func TestExportErrorsAreLoggedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, log := watched(t)
		for _, after := range []time.Duration{0, time.Second, 58 * time.Second, time.Second, time.Second} {
			<-time.After(after)
			otel.Handle(errors.New("refused"))
		}
		if got := log.Count("refused"); got != 2 {
			t.Errorf("%d lines about five errors in 61 s, want 2:\n%s", got, log)
		}
	})
}

func TestScrub(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"bad credentials ghp_abcdefghijklmnop0123": "bad credentials [secret]",
		"github_pat_11ABCDEFG0_abcdefghijkl!":      "[secret]!",
		"Authorization: Bearer abcdef.ghijkl-mnop": "Authorization: [secret]",
		"token scoring of a pull request":          "token scoring of a pull request",
		"ghp_ is a prefix":                         "ghp_ is a prefix",
	} {
		if got := telemetry.Scrub(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
