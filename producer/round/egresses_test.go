package round_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

// declares has a producer of this name declare egresses. Its own is the first.
func (b *bundle) declares(t *testing.T, name string, s round.Setting, changes ...func(*round.Config)) error {
	t.Helper()
	cfg := b.leading(name)
	cfg.Egress = s.Names[0]
	for _, change := range changes {
		change(&cfg)
	}
	return round.Declare(deadline(t), cfg, s)
}

func (b *bundle) declared(t *testing.T) []string {
	t.Helper()
	e, _, err := b.bus.Egresses.Load(t.Context())
	must.Do(t, err)
	return e.Names
}

// said is a setting that an operator gave, unsaid the default.
func said(names ...string) round.Setting { return round.Setting{Names: names, Said: true} }

func unsaid(own string) round.Setting { return round.Setting{Names: []string{own}} }

// lives holds something under a name, and shows signs of life until the test ends.
func (b *bundle) lives(t *testing.T, what, name string) {
	t.Helper()
	ctx := deadline(t)
	ended := make(chan struct{})
	quit := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		h, revision := job.Holder{Name: name, For: 20 * time.Second, Since: time.Now()}, uint64(0)
		for err := error(nil); err == nil; h.Beat++ {
			revision, err = b.bus.Holders.Set(ctx, what, h, revision)
			select {
			case <-ticker.C:
			case <-quit:
				return
			}
		}
	}()
	t.Cleanup(func() { close(quit); <-ended })
	for {
		if _, revision, err := b.bus.Holders.Load(ctx, what); err != nil || revision > 0 {
			must.Do(t, err)
			return
		}
	}
}

// If no other producer runs, the setting of the one that starts is in force. The log says
// when it replaces another. A default keeps a declaration that contains its egress.
func TestTheProducerThatStartsDeclares(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	for _, c := range []struct {
		given round.Setting
		want  []string
		warns bool
	}{
		{said("b", "a", "b"), []string{"a", "b"}, false},
		{said("a", "b"), []string{"a", "b"}, false},
		{unsaid("a"), []string{"a", "b"}, false}, // run by hand while serve restarts
		{said("c"), []string{"c"}, true},
		{unsaid("a"), []string{"a"}, true},
	} {
		var log strings.Builder // one goroutine writes it
		err := b.declares(t, "p", c.given, func(cfg *round.Config) { cfg.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		if got := b.declared(t); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, %v, want %v", c.given, got, err, c.want)
		}
		if warned := strings.Contains(log.String(), "level=WARN"); warned != c.warns {
			t.Errorf("%v: warned %v, want %v: %s", c.given, warned, c.warns, log.String())
		}
	}
}

// While another producer runs, its declaration stays. Another setting is refused, and the
// error names both. A default gives way if its egress is among the declared ones.
func TestADeclarationStaysWhileItsProducerRuns(t *testing.T) {
	t.Parallel()
	for _, what := range []string{job.Schedule, "20260618t185400z-0a1b2c"} {
		b := setup(t, jobstream.Config{})
		must.Do(t, b.declares(t, "first", said("a", "b")))
		b.lives(t, what, "first/1")
		must.Do(t, b.declares(t, "same", said("b", "a")))
		must.Do(t, b.declares(t, "default", unsaid("b")))
		for name, s := range map[string]round.Setting{
			"fewer": said("a"), "more": said("a", "b", "c"), "others": said("c"), "a default of another": unsaid("c"),
		} {
			err := b.declares(t, name, s)
			if !errors.Is(err, round.ErrDeclared) {
				t.Errorf("%s: %v, want ErrDeclared", name, err)
				continue
			}
			for _, want := range append(s.Names, "a, b", "first/1", what, "--egresses") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %q is not in %v", name, want, err)
				}
			}
		}
		if got := b.declared(t); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("declared are %v, want what the first one said", got)
		}
		must.Do(t, b.declares(t, "alone", said("c"), func(cfg *round.Config) { cfg.SoleProducer = true }))
		if got := b.declared(t); !slices.Equal(got, []string{"c"}) {
			t.Errorf("declared are %v, want what a local round says, which nobody is beside", got)
		}
	}
}

// A producer that has ended or died keeps its declaration no longer than its takeover
// time.
func TestADeadProducersDeclarationIsReplaced(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	must.Do(t, b.declares(t, "first", said("a", "b")))
	for name, h := range map[string]job.Holder{
		"ended": {Name: "ended/1", For: time.Hour, Released: true}, "dead": {Name: "dead/1", For: 300 * time.Millisecond},
	} {
		_, err := b.bus.Holders.Set(t.Context(), name, h, 0)
		must.Do(t, err)
	}
	must.Do(t, b.declares(t, "next", said("c")))
	if got := b.declared(t); !slices.Equal(got, []string{"c"}) {
		t.Errorf("declared are %v, want the new ones", got)
	}
}

// The next producer that starts replaces an unreadable value.
func TestADamagedDeclarationIsReplaced(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	for _, value := range []string{"{", `{"version": 99, "names": ["x"]}`, `{"version": 1}`, ""} {
		_, err := b.bus.Bucket(job.BucketRounds).Put(t.Context(), job.EgressesKey, []byte(value))
		must.Do(t, err)
		must.Do(t, b.declares(t, "p", unsaid("a")))
		if got := b.declared(t); !slices.Equal(got, []string{"a"}) {
			t.Errorf("after %q declared are %v, want the producer's", value, got)
		}
	}
}

// A producer whose egress is not one of the fleet's runs no round, because it would send
// the look-ups of maintainers.
func TestAnUndeclaredProducerRunsNoRound(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	must.Do(t, b.declares(t, "p", unsaid("a")))
	m := b.plan(t, four()[0])
	_, err := b.runner(t, func(c *round.Config) { c.Egress = "b" }).Start(deadline(t), m)
	if !errors.Is(err, job.ErrUndeclared) || b.lookUps.Load() != 0 {
		t.Errorf("%v after %d look-ups, want ErrUndeclared after none", err, b.lookUps.Load())
	}
	if result, err := b.runner(t, func(c *round.Config) { c.Egress = "a" }).Resume(deadline(t), m.Round); err != nil || result.Revision != 1 {
		t.Errorf("revision %d, %v, want it run by a producer of the fleet's", result.Revision, err)
	}
}
