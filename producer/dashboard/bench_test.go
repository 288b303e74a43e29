package dashboard_test

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// BenchmarkPages makes the pages on which most time is spent, of a round of 256 miners. 15 ms
// at the median are wanted on two cores that do nothing else. cpu-ms/op is what the whole
// process takes, NATS and the reader of the page among it: it depends less on what else the
// machine does.
func BenchmarkPages(bench *testing.B) {
	ended := setup(bench)
	ended.Work(bench)
	round := "/rounds/" + miners256(bench, ended).Round
	runs := running(bench, 256)
	runs.WorksAt(1, 40)
	for _, p := range []struct{ name, address string }{
		{"concluded", ended.url + round},
		{"running", runs.url + "/rounds/" + liveRound},
		{"miner", ended.url + round + "/miners/7"},
		{"rounds", ended.url + "/"},
	} {
		bench.Run(p.name, func(bench *testing.B) {
			var took []time.Duration
			before := processor(bench)
			for bench.Loop() {
				began := time.Now()
				if a := nettest.Ask(bench, http.MethodGet, p.address, ""); a.Status != http.StatusOK {
					bench.Fatal(a.Status)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			bench.ReportMetric(milliseconds(took[len(took)/2]), "p50-ms")
			bench.ReportMetric(milliseconds(processor(bench)-before)/float64(bench.N), "cpu-ms/op")
		})
	}
}

// BenchmarkViewers is ten seconds of a round of 256 miners in which every second a job ends and
// another one begins, thirty times as fast as in a round of two hours: without viewers, with
// one, and with 20 who look at the page as it changes. Twenty may take 1 % of a core.
// %core is of the whole process, NATS and the browsers' reading among it.
func BenchmarkViewers(bench *testing.B) {
	for _, viewers := range []int{0, 1, 20} {
		bench.Run(strconv.Itoa(viewers), func(bench *testing.B) {
			l := running(bench, 256)
			l.WorksAt(1, 8)
			for range viewers {
				s := l.stream("")
				over := make(chan struct{})
				go func() { defer close(over); _, _ = io.Copy(io.Discard, s.body) }()
				bench.Cleanup(func() { s.closes(); <-over })
			}
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			<-tick.C // what is done once, when the first of them comes, is over
			uid := 1
			began, before := time.Now(), processor(bench)
			for bench.Loop() {
				for range 10 {
					<-tick.C
					l.Step(uid)
					l.Step(uid + 8)
					uid++
				}
			}
			bench.ReportMetric(100*float64(processor(bench)-before)/float64(time.Since(began)), "%core")
		})
	}
}

// processor is the processor time of this process.
func processor(tb testing.TB) time.Duration {
	tb.Helper()
	var use syscall.Rusage
	must.Do(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &use))
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
