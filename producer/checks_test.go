package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/redistest"
)

// A producer that serves examines itself with the checks of doctor. It takes no permit, asks
// nothing of the mirror, and says what it does not look at.
func TestAProducerExaminesItself(t *testing.T) {
	t.Parallel()
	servers, store := jobstreamtest.Start(t), redistest.Start(t)
	var found doctor.Diagnosis
	app := serveCommand()
	app.Writer = io.Discard
	app.Action = func(ctx context.Context, c *cli.Command) (err error) {
		found, err = examiner(c, options{mirror: "http://127.0.0.1:1"})(ctx)
		return err
	}
	must.Do(t, app.Run(t.Context(), []string{
		"serve", "--nats", servers.NATSURL(), "--redis", store.URL(), "--registry", "/nothing/registry.json", "--tokens", "", "--metagraph", "",
	}))
	texts := map[string]string{}
	for _, f := range found.Checks {
		texts[f.Check] += string(f.Status) + " " + f.Text + "\n"
	}
	for check, want := range map[string]string{
		"NATS server": "", "Redis server": "", "producer role": "", "clocks": "",
		"worker role": "ok not looked at from here", "grammars": "ok not looked at from here", "the mirror": "ok not asked from here", "--registry": "fault",
	} {
		if got, there := texts[check]; !there || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q; there are %+v", check, got, want, texts)
		}
	}
	rdb := must.Get(ratelimit.NewClient(store.URL(), time.Second))(t)
	t.Cleanup(func() { must.Check(t, rdb.Close()) })
	for _, bucket := range must.Get(ratelimit.Buckets(t.Context(), rdb, time.Second))(t) {
		if bucket.Granted != 0 {
			t.Errorf("%d permits were taken, want none", bucket.Granted)
		}
	}
}
