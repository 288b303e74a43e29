package tokenscore_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore"
)

// manyEnv is how many files TestMemoryOverManyFiles scores; `make memory` has it
// score 10,000.
const manyEnv = "MIRRORFLEET_MANY_FILES"

// maxResident is what a child may ever have had in memory at once: what the
// default cap is set to.
const maxResident = 400 << 20

// A child's memory does not grow with the files that it has scored: real
// ones of all languages and some of the largest size, each a text of its own.
func TestMemoryOverManyFiles(t *testing.T) {
	t.Parallel()
	files := 400
	if many := os.Getenv(manyEnv); many != "" {
		var err error
		if files, err = strconv.Atoi(many); err != nil || files < 1 {
			t.Fatalf("%s=%q: want a number of files, such as 10000", manyEnv, many)
		}
	}
	b := setup(t, func(c *tokenscore.Config) { c.Budget = time.Hour })
	cases := must.Get(readCases())(t)
	var texts []tokens.File
	for _, l := range cases {
		for _, c := range l.cases {
			texts = append(texts, c.file)
		}
	}
	for i := range files {
		f := texts[i%len(texts)]
		// No memory of texts helps: each time round, it is another one.
		f.Head = new(fmt.Sprintf("%s\n%d\n", *f.Head, i))
		if i%100 == 0 {
			f = added("large.js", largeScript[:len(largeScript)-i%1000])
		}
		if got := b.score(t, f).Files[0].Method; got == tokens.MethodSkippedTimeout {
			t.Fatalf("file %d, %s: %s", i, f.Filename, got)
		}
	}
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 1}) {
		t.Errorf("stats %+v; want the first child alone", got)
	}
	for _, pid := range b.pool.Pids() {
		peak := peakOf(t, pid)
		t.Logf("%d files: at most %d MB in memory", files, peak>>20)
		if peak >= maxResident {
			t.Errorf("the child had %d MB in memory, want less than %d", peak>>20, maxResident>>20)
		}
	}
}

// peakOf is the most that a process has ever had in memory.
func peakOf(t *testing.T, pid int) int64 {
	t.Helper()
	status := must.Get(os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)))(t)
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		t.Fatalf("VmHWM of process %d: %v", pid, err)
	}
	return kib << 10
}
