package main_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
)

// untilScheduled waits until `producer rounds` shows the schedule as it should be.
func untilScheduled(t *testing.T, nats, what string, is func(*view.Schedule) bool) (s view.Schedule) {
	t.Helper()
	until(t, what, func() bool {
		list := printed[view.List](t, "RoundList", 0, "rounds", "--nats", nats)
		if list.Schedule == nil {
			return false
		}
		s = *list.Schedule
		return is(list.Schedule)
	})
	return s
}

// standings are how the producers stand, in the order in which they are listed.
func standings(s *view.Schedule) (all []view.ProducerStanding) {
	for i := range s.Producers {
		all = append(all, s.Producers[i].Standing)
	}
	return all
}

// Two producers serve, and the tokens file breaks off: the list of rounds says which one
// leads, that the other stands by, and what puts off the turn. When the leader is killed, the
// other is shown leading, with the same trouble, until the file is whole; one that is told to
// stop leaves with a word. The API says the same.
func TestProducersShowThemselves(t *testing.T) {
	t.Parallel()
	servers := jobstreamtest.Start(t)
	nats := servers.NATSURL()
	bus, _ := jobstreamtest.Open(t, nats, jobstream.Config{})
	dir := t.TempDir()
	tokens, metagraph := filepath.Join(dir, "tokens.json"), filepath.Join(dir, "metagraph.json")
	registry := filepath.Join(dir, "registry.json")
	write(t, tokens, `[{"uid": 1,`)
	write(t, metagraph, `{"0": "h0", "1": "h1"}`)
	write(t, registry, `{"a/b": {"emission_share": 0.5}}`)
	args := []string{
		"--nats", nats, "--redis", servers.RedisURL(), "--mirror", "http://127.0.0.1:1", "--tokens", tokens, "--metagraph", metagraph,
		"--registry", registry, "--every", "1h", "--takeover", "2s", "--limit-horizon", "1s", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0",
	}
	first := serve(t, nil, args...)
	alone := untilScheduled(t, nats, "the first leads, and says what puts off its turn", func(s *view.Schedule) bool {
		return s.PutOff != nil && slices.Equal(standings(s), []view.ProducerStanding{view.ProducerLeads})
	})
	if p, off := alone.Producers[0], alone.PutOff; p.Name != alone.Producer || p.Version == "" || p.Host == "" || off.Input != "tokens" ||
		!strings.Contains(off.Why, tokens) || off.Since.Before(p.Started) {
		t.Errorf("shown as %+v, put off by %+v; want the leader %s, and the file %s since then", p, off, alone.Producer, tokens)
	}
	second := serve(t, nil, args...)
	both := untilScheduled(t, nats, "the second stands by", func(s *view.Schedule) bool {
		return slices.Equal(standings(s), []view.ProducerStanding{view.ProducerLeads, view.ProducerStandsBy})
	})
	standby := both.Producers[1].Name
	said := run(t, "producer", "rounds", "--nats", nats).stdout
	for _, want := range []string{"put off:  for ", ": tokens", "active:   producer " + alone.Producer + ", up for", "standby:  producer " + standby + ", up for"} {
		if !strings.Contains(said, want) {
			t.Errorf("producer rounds does not say %q:\n%s", want, said)
		}
	}

	first.kill()
	untilScheduled(t, nats, "the second leads, with the same trouble", func(s *view.Schedule) bool {
		return s.Producer == standby && s.PutOff != nil && s.Producers[0].Name == standby && s.Producers[0].Standing == view.ProducerLeads
	})
	if status, body := page(t, second.apiAddress(), "/api/v1/schedule", ""); status != 200 || !strings.Contains(body, `"put_off":{"input":"tokens"`) {
		t.Errorf("the API says %d %s, want what puts off the turn", status, body)
	}
	write(t, tokens, `[]`)
	untilScheduled(t, nats, "nothing puts off the turn any more", func(s *view.Schedule) bool { return s.PutOff == nil && s.Producer == standby })
	concluded(t, bus, 1)
	until(t, "it waits for the next turn", second.says("waiting for the next turn"))
	second.stop(t)
	// The killed one has said no last word, and is silent.
	untilScheduled(t, nats, "one has left, and the killed one is silent", func(s *view.Schedule) bool {
		return slices.Equal(standings(s), []view.ProducerStanding{view.ProducerSilent, view.ProducerLeft}) &&
			s.Producers[1].Name == standby && s.Producers[1].LastWord == "stopped"
	})
}
