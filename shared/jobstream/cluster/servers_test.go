package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// TestEachServerIsAsked guards against settings that are looked at on one server
// alone: all tell the producer theirs, one that does not sync stands out, one that
// is away is named, and the worker's user may not ask.
func TestEachServerIsAsked(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t.Context(), t, cluster.Config{Settings: settings})
	b := &bundle{t: t, ctx: t.Context(), cluster: c}
	nc := b.connect(cluster.Producer)
	ask := func() (synced, unsynced, silent []string) {
		told, silent, err := jobstream.Servers(t.Context(), nc)
		b.must(err)
		for _, s := range told {
			if !s.JetStream || s.MaxPayload != 1<<20 || s.StoreLimit != 20<<30 || jobstream.Older(s.Version, jobstream.OldestServer) ||
				s.Now.Before(s.Asked.Round(0)) || s.Now.After(s.Answered.Round(0)) {
				t.Errorf("%+v, want the shipped settings, and a clock that was read between question and answer", s)
			}
			if s.SyncAlways {
				synced = append(synced, s.Name)
			} else {
				unsynced = append(unsynced, s.Name)
			}
		}
		return synced, unsynced, silent
	}
	if synced, unsynced, silent := ask(); !slices.Equal(synced, []string{"n1", "n2", "n3"}) || len(unsynced)+len(silent) > 0 {
		t.Errorf("synced %v, not synced %v, silent %v, want all three synced", synced, unsynced, silent)
	}

	bus := must.Get(jobstream.Open(t.Context(), nc, jobstream.Config{Replicas: 3, Wait: patience, Log: jobstreamtest.Quiet()}))(t)
	c.Kill(1)
	// Within a second, the look of the metrics lost the stores of all servers while one was silent.
	b.until("the metrics have the stores of the others, and the silent one", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // telemetry's
		defer cancel()
		stores, silent, err := bus.Storage(ctx)
		return err == nil && silent == 1 && len(stores) == 2 && stores[0].Of == "n1" && stores[1].Of == "n3"
	})
	if synced, _, silent := ask(); !slices.Equal(synced, []string{"n1", "n3"}) || !slices.Equal(silent, []string{"n2"}) {
		t.Errorf("without n2: synced %v, silent %v", synced, silent)
	}
	path := filepath.Join(c.Dir(1), "settings.conf")
	conf := string(must.Get(os.ReadFile(path))(t))
	b.must(os.WriteFile(path, []byte(strings.Replace(conf, "sync_interval: always", `sync_interval: "2m"`, 1)), 0o600))
	b.must(c.Restart(1))
	b.must(c.Healthy(t.Context()))
	b.until("n2 tells that it does not sync", func() bool {
		synced, unsynced, silent := ask()
		return slices.Equal(synced, []string{"n1", "n3"}) && slices.Equal(unsynced, []string{"n2"}) && len(silent) == 0
	})

	if told, _, err := jobstream.Servers(t.Context(), b.connect(cluster.Worker)); !errors.Is(err, jobstream.ErrNotTold) || len(told) > 0 {
		t.Errorf("the worker is told %+v, %v, want %v", told, err, jobstream.ErrNotTold)
	}
}

// TestDoctorFindsTheShippedSettingsWell: with three servers and the users of both
// roles nothing is to be mended but that no worker runs, and the clocks of all are compared.
func TestDoctorFindsTheShippedSettingsWell(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url := b.cluster.URL(cluster.Producer)
	checks := append(doctor.NATS{URL: url, Worker: b.cluster.URL(cluster.Worker), Streams: jobstream.Config{Replicas: 3, Log: jobstreamtest.Quiet()}}.Checks(),
		doctor.Clocks{NATS: url}.Check())
	found := doctor.Run(b.ctx, checks, patience)
	for _, f := range found {
		if f.Status != doctor.OK && f.Code != doctor.WorkersNone { // none runs here
			t.Errorf("%+v", f)
		}
	}
	text := fmt.Sprint(found)
	for _, want := range []string{"writes are on disk before they are confirmed, by n1, n2, n3", "this machine, NATS server n1, NATS server n2 and NATS server n3 are within"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s: want %q", text, want)
		}
	}
}

// TestOneServerIsAsked: alone, without a cluster.
func TestOneServerIsAsked(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t.Context(), t, cluster.Config{Settings: settings, Nodes: 1})
	b := &bundle{t: t, ctx: t.Context(), cluster: c}
	told, silent, err := jobstream.Servers(t.Context(), b.connect(cluster.Producer))
	if err != nil || len(told) != 1 || !told[0].SyncAlways || len(silent) > 0 {
		t.Errorf("%+v, silent %v, %v, want the one that there is", told, silent, err)
	}
}
