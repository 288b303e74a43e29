package tokenscore_test

import (
	"encoding/gob"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"mirrorfleet/worker/tokenscore"
)

// stopwatch measures the same work again and again, by the clock and by the
// processor time of this process and others: what else runs on the machine
// stretches the first far more than the second.
type stopwatch struct{ Wall, CPU []time.Duration }

// took is how long something took once.
type took struct{ Wall, CPU time.Duration }

// begin begins another time, to which add adds.
func (s *stopwatch) begin() { s.Wall, s.CPU = append(s.Wall, 0), append(s.CPU, 0) }

func (s *stopwatch) add(t took) {
	s.Wall[len(s.Wall)-1] += t.Wall
	s.CPU[len(s.CPU)-1] += t.CPU
}

// measure adds what work takes, here and in the processes of pids.
func (s *stopwatch) measure(tb testing.TB, pids []int, work func()) {
	tb.Helper()
	cpu, began := cpuTime(tb, pids), time.Now()
	work()
	wall := time.Since(began)
	s.add(took{wall, cpuTime(tb, pids) - cpu})
}

// cpuTime is what this process and those of pids have used.
func cpuTime(tb testing.TB, pids []int) (sum time.Duration) {
	tb.Helper()
	for _, pid := range append(slices.Clone(pids), os.Getpid()) {
		used, err := cpuOf(pid)
		if err != nil {
			tb.Fatal(err)
		}
		sum += used
	}
	return sum
}

// cpuOf is what the threads of a process have used: the first number of each
// one's schedstat, in nanoseconds.
func cpuOf(pid int) (sum time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	for _, thread := range threads {
		data, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		var used time.Duration
		if _, err := fmt.Sscan(string(data), &used); err != nil {
			return 0, fmt.Errorf("%s: %w", thread, err)
		}
		sum += used
	}
	return sum, nil
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return (d[(len(d)-1)/2] + d[len(d)/2]) / 2
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// benchText is a text to be parsed.
type benchText struct {
	Language string
	Text     []byte
}

// parsing is a process that does nothing but parse the same texts again and
// again when it is told to, with the build of the parser that children use. It
// is a process of its own as they are: heap and caches are not shared with the
// benchmark.
type parsing struct {
	orders  *gob.Encoder
	answers *gob.Decoder
}

func startParsing(tb testing.TB, chunks []chunk) *parsing {
	tb.Helper()
	command := childCommand(tb, "parse")
	cmd := exec.Command(command[0], command[1:]...) // the end of its input ends it
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := tokenscore.Start(cmd); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			tb.Errorf("the process that parses: %v", err)
		}
	})
	p := &parsing{gob.NewEncoder(in), gob.NewDecoder(out)}
	var texts [][]benchText
	for _, c := range chunks {
		texts = append(texts, c.texts)
	}
	if err := p.orders.Encode(texts); err != nil {
		tb.Fatal(err)
	}
	return p
}

// parse has a chunk's texts parsed once.
func (p *parsing) parse(tb testing.TB, chunk int) (t took) {
	tb.Helper()
	if err := p.orders.Encode(chunk); err != nil {
		tb.Fatal(err)
	}
	if err := p.answers.Decode(&t); err != nil {
		tb.Fatal(err)
	}
	return t
}

// parseOnly is that process.
func parseOnly() int {
	runtime.LockOSThread() // as a child does
	orders, answers := gob.NewDecoder(os.Stdin), gob.NewEncoder(os.Stdout)
	var texts [][]benchText
	if err := orders.Decode(&texts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	err := tokenscore.ParseAll(grammarsDir(), func(parse func(string, []byte) error) error {
		var chunk int
		for orders.Decode(&chunk) == nil { // until the input ends
			t, err := timeParsing(texts[chunk], parse)
			if err != nil {
				return err
			}
			if err := answers.Encode(t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func timeParsing(texts []benchText, parse func(string, []byte) error) (took, error) {
	cpu, err := cpuOf(os.Getpid())
	if err != nil {
		return took{}, err
	}
	began := time.Now()
	for _, t := range texts {
		if err := parse(t.Language, t.Text); err != nil {
			return took{}, err
		}
	}
	wall := time.Since(began)
	after, err := cpuOf(os.Getpid())
	return took{wall, after - cpu}, err
}
