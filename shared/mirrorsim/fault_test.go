package mirrorsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
)

const health = "/api/v1/health"

// A fault comes as often as was asked for, and then the answer is right.
func TestFailFirst(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fault mirrorsim.Fault
		check func(r reply) bool
	}{
		{"400", func(r reply) bool { return r.status == 400 && json.Valid([]byte(r.body)) }},
		{"500", func(r reply) bool { return r.status == 500 && json.Valid([]byte(r.body)) }},
		{"503", func(r reply) bool { return r.status == 503 && json.Valid([]byte(r.body)) }},
		{"502", func(r reply) bool { return r.status == 502 && strings.Contains(r.body, "<html") }},
		{"524", func(r reply) bool { return r.status == 524 && strings.Contains(r.body, "A timeout occurred") }},
		{"429", func(r reply) bool { return r.status == 429 && r.header.Get("Retry-After") == "10" }},
		{mirrorsim.Fault5xx, func(r reply) bool { return r.status >= 500 }},
		{mirrorsim.FaultReset, func(r reply) bool { return errors.Is(r.err, syscall.ECONNRESET) || errors.Is(r.err, io.EOF) }},
		{mirrorsim.FaultStall, func(r reply) bool { return r.err != nil }},
		{mirrorsim.FaultCut, func(r reply) bool { return r.status == 200 && errors.Is(r.err, io.ErrUnexpectedEOF) && r.body != "" }},
		{mirrorsim.FaultMalformed, func(r reply) bool { return r.status == 200 && r.err == nil && !json.Valid([]byte(r.body)) }},
		{mirrorsim.FaultHTML, func(r reply) bool { return r.status == 200 && strings.Contains(r.body, "<html") }},
	} {
		t.Run(string(tc.fault), func(t *testing.T) {
			t.Parallel()
			b := setup(t, mirrorsim.Config{Stall: time.Millisecond})
			// A POST is not sent again by net/http when its connection dies.
			if err := b.server.FailFirst("pulls:7", 2, tc.fault); err != nil {
				t.Fatalf("FailFirst: %v", err)
			}
			for i := range 2 {
				if r := b.do(http.MethodPost, "/api/v1/miners/7/pulls", since(30)); !tc.check(r) {
					t.Errorf("request %d: %+v, which is not %s", i, r, tc.fault)
				}
			}
			b.list(http.MethodPost, "/api/v1/miners/7/pulls", since(30))
			stats := b.server.Stats()
			total := 0
			for _, n := range stats.Faults {
				total += n
			}
			if stats.Requests != 3 || total != 2 || stats.OverLimit != 0 {
				t.Errorf("stats %+v, want 3 requests with 2 faults", stats)
			}
		})
	}
}

// While the mirror writes a pull request's files, its answer is JSON that lacks
// some of them, or their texts, and says that it has them all; then it is whole.
func TestHalfWrittenAnswers(t *testing.T) {
	t.Parallel()
	type file struct {
		Name string  `json:"filename"`
		Head *string `json:"head_content"`
		Size *int    `json:"byte_size"`
	}
	for fault, want := range map[mirrorsim.Fault]string{
		mirrorsim.FaultNoFiles: "", mirrorsim.FaultSomeFiles: "a.go+", mirrorsim.FaultNoTexts: "a.go+ b.go- c.go-", "": "a.go+ b.go+ c.go+",
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			world := mirrorsim.NewWorld("half", asOf)
			text := "package a\n"
			size := 10
			files := mirrorsim.Files{RepoFullName: "a/b", Number: 7, ScoringDataStored: true}
			for _, name := range []string{"a.go", "b.go", "c.go"} {
				files.Files = append(files.Files, mirrorsim.File{Filename: name, Status: "added", Additions: 1, ByteSize: &size, HeadContent: &text})
			}
			world.AddFiles(files)
			b := setup(t, mirrorsim.Config{World: world})
			if fault != "" {
				must.Do(t, b.server.FailFirst("files:a/b#7", 1, fault))
			}
			for _, want := range []string{want, "a.go+ b.go+ c.go+"} {
				var got struct {
					Stored bool   `json:"scoring_data_stored"`
					Files  []file `json:"files"`
				}
				r := b.do(http.MethodGet, "/api/v1/pulls/a/b/7/files", "")
				if err := json.Unmarshal([]byte(r.body), &got); err != nil || !got.Stored {
					t.Fatalf("got %+v, %v; want an answer that calls itself whole", r, err)
				}
				var list []string
				for _, f := range got.Files {
					list = append(list, f.Name+map[bool]string{true: "+", false: "-"}[f.Head != nil && f.Size != nil])
				}
				if strings.Join(list, " ") != want {
					t.Errorf("got %q, want %q", strings.Join(list, " "), want)
				}
			}
		})
	}
}

// Keys of other requests are left alone, and an unknown fault is an error.
func TestFailFirstIsOfOneRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, mirrorsim.Config{})
	for _, key := range []string{"open_issues:7", "files:acme/rocket#2", "maintainers:acme/rocket", "health"} {
		if err := b.server.FailFirst(key, -1, "500"); err != nil {
			t.Fatalf("FailFirst(%s): %v", key, err)
		}
	}
	if err := b.server.FailFirst("health", 1, "flood"); err == nil || !strings.Contains(err.Error(), "flood") {
		t.Errorf("FailFirst with an unknown fault: %v, want an error that names it", err)
	}
	for path, want := range map[string]int{
		"GET /api/v1/miners/7/issues":               500,
		"GET /api/v1/miners/8/issues":               200,
		"POST /api/v1/miners/7/issues":              200,
		"POST /api/v1/miners/7/pulls":               200,
		"GET /api/v1/pulls/Acme/Rocket/2/files":     500,
		"GET /api/v1/repos/ACME/rocket/maintainers": 500,
		"GET /api/v1/health":                        500,
	} {
		method, path, _ := strings.Cut(path, " ")
		for range 2 {
			if r := b.do(method, path, since(30)); r.status != want {
				t.Errorf("%s %s: %d, want %d", method, path, r.status, want)
			}
		}
	}
}

// The seed decides which requests fail; the share is that which was asked for.
func TestFaultsFollowTheSeed(t *testing.T) {
	t.Parallel()
	statuses := func(seed uint64) []int {
		b := setup(t, mirrorsim.Config{Seed: seed, Faults: map[mirrorsim.Fault]float64{"500": 0.3, mirrorsim.Fault5xx: 0.2}})
		var all []int
		for range 200 {
			all = append(all, b.do(http.MethodGet, health, "").status)
		}
		return all
	}
	one := statuses(1)
	again := statuses(1)
	other := statuses(2)
	if !slices.Equal(one, again) {
		t.Error("the same seed gave other faults")
	}
	if slices.Equal(one, other) {
		t.Error("another seed gave the same faults")
	}
	failed := 0
	for _, status := range one {
		if status != http.StatusOK {
			failed++
		}
	}
	if failed < 70 || failed > 130 { // 100 expected; four standard deviations are 28
		t.Errorf("%d of 200 failed, want about 100", failed)
	}
}

// A client that gives up while its answer is held back is let go, and Close
// does not wait for what is held back.
func TestHeldBackAnswers(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]mirrorsim.Config{
		"latency": {Latency: mirrorsim.Fixed(time.Hour)},
		"stall":   {Faults: map[mirrorsim.Fault]float64{mirrorsim.FaultStall: 1}, Stall: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, cfg)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan reply, 2)
			go func() { ended <- b.doIn(ctx, http.MethodGet, health, "") }()
			go func() { ended <- b.do(http.MethodGet, health, "") }()
			waitFor(t, b.server, func(s mirrorsim.Stats) bool { return s.Requests == 2 })
			cancel()
			if r := <-ended; !errors.Is(r.err, context.Canceled) {
				t.Errorf("the client that gave up got %+v, want its own cancellation", r)
			}
			waitFor(t, b.server, func(s mirrorsim.Stats) bool { return s.ByStatus["none"] == 1 })
			if err := b.server.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if r := <-ended; r.err == nil {
				t.Errorf("the other client got %+v, want an error when the server closes", r)
			}
		})
	}
}

// waitFor waits until the server's figures are as wanted.
func waitFor(t *testing.T, server *mirrorsim.Server, reached func(mirrorsim.Stats) bool) {
	t.Helper()
	must.Until(t.Context(), t, "the figures", func() bool { return reached(server.Stats()) })
}

func TestParseFault(t *testing.T) {
	t.Parallel()
	if fault, p, err := mirrorsim.ParseFault("5xx=0.25"); fault != mirrorsim.Fault5xx || p != 0.25 || err != nil {
		t.Errorf(`ParseFault("5xx=0.25") = %q, %g, %v`, fault, p, err)
	}
	for _, text := range []string{"", "5xx", "5xx=", "5xx=2", "5xx=-1", "5xx=NaN", "flood=0.1", "418=0.1", "200=0.1"} {
		if _, _, err := mirrorsim.ParseFault(text); err == nil {
			t.Errorf("ParseFault(%q): no error", text)
		}
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	draws := func(text string) []time.Duration {
		l, err := mirrorsim.ParseLatency(text)
		if err != nil {
			t.Fatalf("ParseLatency(%q): %v", text, err)
		}
		all := make([]time.Duration, 2000)
		for i := range all {
			all[i] = l.Draw(rng)
		}
		slices.Sort(all)
		return all
	}
	const ms = time.Millisecond
	for _, tc := range []struct {
		text                       string
		low, median, spread, above time.Duration
	}{
		{"50ms", 50 * ms, 50 * ms, 0, 50 * ms},
		{"0s", 0, 0, 0, 0},
		{"uniform:20ms,220ms", 20 * ms, 120 * ms, 15 * ms, 220 * ms},
		{"lognormal:80ms,0.5", 0, 80 * ms, 8 * ms, 80 * ms * 20},
		{"lognormal:50s,3", 0, 50 * second, 10 * second, time.Minute}, // the tail is cut
	} {
		all := draws(tc.text)
		if median := all[1000]; all[0] < tc.low || all[1999] > tc.above || (median-tc.median).Abs() > tc.spread {
			t.Errorf("%s: from %s to %s with median %s; want %s to %s with median %s", tc.text, all[0], all[1999], median, tc.low, tc.above, tc.median)
		}
	}
	for _, text := range []string{"", "5", "-5ms", "uniform:5ms", "uniform:9ms,5ms", "uniform:-1ms,5ms", "lognormal:80ms", "lognormal:80ms,-1", "lognormal:80ms,NaN", "normal:1ms,2ms"} {
		if _, err := mirrorsim.ParseLatency(text); err == nil || !strings.Contains(err.Error(), "latency") {
			t.Errorf("ParseLatency(%q): %v, want an error that says what would be right", text, err)
		}
	}
}
