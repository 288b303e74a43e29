package tokenscore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore"
)

// A child that is killed in the midst of a file costs that pull request its
// figures, all of its files say so, and the next one is scored.
func TestChildKilledMidFile(t *testing.T) {
	t.Parallel()
	b := setup(t, sabotaged(t))
	figures := b.score(t,
		added("a.go", "package a\n"), added("b.go", "package b // "+sigkillMark), added("README.md", "text\n"))
	wantTimedOut(t, figures, 3)
	b.wantScored(t)
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 3, Crashed: 2}) {
		t.Errorf("stats %+v; want 3 children started, and a crash in each of two tries", got)
	}
}

// A child that hangs takes no processor time; the wall clock ends it. It costs a
// budget the time that it kept a child for.
func TestAHangEndsByTheWallClock(t *testing.T) {
	t.Parallel()
	b := setup(t, sabotaged(t), func(c *tokenscore.Config) { c.HangTimeout = 300 * time.Millisecond })
	budget := tokenscore.NewBudget(time.Hour)
	b.wantBothTriesEnded(t, b.scoreWithin(t, budget, "1", added("a.go", "package a // "+hangMark)), "did not end within 300ms")
	if left := budget.Left(); left > time.Hour-600*time.Millisecond {
		t.Errorf("%v of an hour are left, want the two hangs taken off", left)
	}
}

// A child that works on and on outside of a parse is ended by its processor time,
// long before the wall clock would.
func TestAChildThatWorksOnEndsByItsProcessorTime(t *testing.T) {
	t.Parallel()
	b := setup(t, sabotaged(t), func(c *tokenscore.Config) { c.Budget, c.HangTimeout = 300*time.Millisecond, time.Hour })
	b.wantBothTriesEnded(t, b.scoreWithin(t, nil, "1", added("a.go", "package a // "+spinMark)), "a.go: it took more than 300ms of processor time")
}

// wantBothTriesEnded checks that the scoring of one file was ended twice, for this
// reason.
func (b *bundle) wantBothTriesEnded(t *testing.T, scored tokenscore.Scored, reason string) {
	t.Helper()
	wantTimedOut(t, scored.Figures, 1)
	if scored.Lacks == nil || !strings.Contains(scored.Lacks.Error(), reason) {
		t.Errorf("it lacks %v, want %q", scored.Lacks, reason)
	}
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 2, TimedOut: 2}) {
		t.Errorf("stats %+v; want 2 children started, each ended over its try", got)
	}
}

// A child that fails while more is on its way to it than any pipe holds leaves
// nobody waiting: what was sent after the failing file is lost with it.
func TestFailingUnderMoreThanThePipeHolds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("// a comment\n", 60_000)
	behind := []tokens.File{added("c.go", long), added("d.go", long+"\n"), added("e.go", long+"\n\n")}
	for _, tt := range []struct {
		mark  string
		hangs time.Duration
		want  tokenscore.Stats
	}{
		{sigkillMark, time.Hour, tokenscore.Stats{Started: 2, Crashed: 2}},
		{hangMark, 300 * time.Millisecond, tokenscore.Stats{Started: 2, TimedOut: 2}},
	} {
		b := setup(t, sabotaged(t), func(c *tokenscore.Config) { c.HangTimeout = tt.hangs })
		files := append([]tokens.File{added("b.go", "package b // "+tt.mark)}, behind...)
		wantTimedOut(t, b.score(t, files...), len(files))
		if got := b.pool.Stats(); got != tt.want {
			t.Errorf("after %q: stats %+v, want %+v", tt.mark, got, tt.want)
		}
	}
}

// The parser itself can take longer than a budget: nothing is sabotaged here.
func TestParserOverTheBudget(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tokenscore.Config) { c.Budget = time.Millisecond })
	wantTimedOut(t, b.score(t, added("a.go", hardText)), 1)
}

// All files of a miner share a budget: a hostile one spends it, and what is left
// then counts as out of time. Another miner's is another.
func TestASpentBudget(t *testing.T) {
	t.Parallel()
	b := setup(t)
	small := added("a.go", "package a\n\nfunc f() {}\n")
	budget := tokenscore.NewBudget(500 * time.Millisecond)
	if scored := b.scoreWithin(t, budget, "1", small); scored.Lacks != nil {
		t.Fatalf("the first pull request lacks %v; want nothing", scored.Lacks)
	}
	for _, f := range []tokens.File{added("hard.go", hardText), small} {
		scored := b.scoreWithin(t, budget, "1", f)
		wantTimedOut(t, scored.Figures, 1)
		if !errors.Is(scored.Lacks, tokenscore.ErrSpent) || !strings.Contains(scored.Lacks.Error(), "500ms") {
			t.Errorf("%s lacks %v, want %v of 500ms", f.Filename, scored.Lacks, tokenscore.ErrSpent)
		}
	}
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 1, TimedOut: 1}) {
		t.Errorf("stats %+v; want one try, and none of what came after", got)
	}
	if scored := b.scoreWithin(t, tokenscore.NewBudget(time.Minute), "2", small); scored.Lacks != nil {
		t.Errorf("another miner's pull request lacks %v; want nothing", scored.Lacks)
	}
}

// hardText takes the parser many seconds, which keeps more and more ways of
// reading it.
var hardText = strings.Repeat("a?b:", 100_000)

// A text that takes longer to parse than it may has no nodes, also when it is
// tried once more in a fresh child, and its file says so; that is all that
// happens, and the next one is parsed from its beginning.
func TestParseTimeout(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tokenscore.Config) {
		c.Command, c.Budget = childCommand(t, "serve", parseEnv+"=1ms"), time.Minute
	})
	for _, file := range []tokens.File{added("a.js", largeScript), modified("a.js", largeScript, "")} {
		scored := b.scoreWithin(t, nil, "1", file, added("b.js", "f()\n"))
		f := scored.Figures.Files[0]
		if f.Method != tokens.MethodTreeDiff || f.Nodes != 0 || f.Score != 0 || !f.OutOfTime {
			t.Errorf("a text past its time: %+v; want a tree diff without nodes, marked", f)
		}
		if f := scored.Figures.Files[1]; f.Breakdown.StructuralAddedCount != 1 || f.OutOfTime {
			t.Errorf("the next text: %+v; want its one call", f)
		}
		if want := "1 of its files took too much processor time to parse, the first a.js"; scored.Lacks == nil || scored.Lacks.Error() != want {
			t.Errorf("it lacks %v, want %q", scored.Lacks, want)
		}
	}
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 3}) {
		t.Errorf("stats %+v; want the first child, and a fresh one for each second try", got)
	}
}

// With the two seconds of the rules: this text takes the parser many more. It
// costs itself and two seconds.
func TestParseOverTwoSeconds(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tokenscore.Config) {
		c.Command, c.Budget = childCommand(t, "serve", parseEnv+"=0s"), time.Minute
	})
	figures := b.score(t, added("a.go", hardText), added("b.go", "package b\n"))
	if f := figures.Files[0]; f.Method != tokens.MethodTreeDiff || f.Nodes != 0 || !f.OutOfTime {
		t.Errorf("a text past its time: %+v; want a tree diff without nodes, marked", f)
	}
	if f := figures.Files[1]; f.Nodes == 0 || f.OutOfTime {
		t.Errorf("the next file: %+v; want nodes", f)
	}
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 2}) {
		t.Errorf("stats %+v; want the first child and the one of the second try", got)
	}
}

// The runtime's own code crashes over this text, whatever allocates its memory.
// That is the pull request's loss alone.
func TestParserCrashes(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tokenscore.Config) { c.Budget = time.Hour })
	wantTimedOut(t, b.score(t, added("b.go", "package b\n"), added("a.pl", strings.Repeat("`${", 20_000))), 2)
	b.wantScored(t)
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 3, Crashed: 2}) {
		t.Errorf("stats %+v; want 3 children started, and a crash in each of two tries", got)
	}
}

// largeScript is one line of nearly a megabyte, as a minifier writes it.
var largeScript = strings.Repeat("a[1]+=f(x,y);", 70_000)

// A text whose tree needs more memory than a child may have ends that child;
// under the default limit it is scored.
func TestMemoryCap(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tokenscore.Config) { c.MemoryLimit = 64 << 20; c.Budget = time.Minute })
	wantTimedOut(t, b.score(t, added("a.js", largeScript)), 1)
	b.wantScored(t)
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 3, Crashed: 2}) {
		t.Errorf("stats %+v; want 3 children started, and a crash in each of two tries", got)
	}
	// The same where not the parser, but what walks its tree finds no memory.
	deep := setup(t)
	wantTimedOut(t, deep.score(t, added("a.js", "x="+strings.Repeat("a?b:", 225_000)+"c")), 1)
	deep.wantScored(t)
	roomy := setup(t, func(c *tokenscore.Config) { c.Budget = time.Minute })
	if f := roomy.score(t, added("a.js", largeScript)).Files[0]; f.Method != tokens.MethodTreeDiff || f.Nodes == 0 {
		t.Errorf("under the default limit: %+v; want nodes", f)
	}
}

// Texts that are strange but legal are scored in the child that scores the next
// file too: no crash, no restart.
func TestStrangeTexts(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tokenscore.Config) { c.Budget = time.Minute })
	var files []tokens.File
	for _, text := range []string{
		"", "\x00", "\x00\x00package a\x00", "\xff\xfe\xfd", "package \xc3", "\ufeffpackage a\n", "\r\r\r", "é\u2028\u00a0\U0001f600",
		strings.Repeat("(", 10_000) + strings.Repeat(")", 10_000), strings.Repeat("{[", 10_000),
		"x = \"" + strings.Repeat("a", 990_000) + "\"", largeScript,
	} {
		for _, ext := range []string{"go", "py", "js", "rb", "md", "cmake", "hs", "html"} {
			files = append(files, added("a."+ext, text))
		}
		files = append(files, modified("b.ts", text, "let one = 1\n"), modified("b.rs", "fn one() {}", text))
	}
	for _, f := range files {
		figures := b.score(t, f)
		if got := figures.Files[0].Method; got != tokens.MethodTreeDiff && got != tokens.MethodLineCount {
			t.Errorf("%s of %d bytes: method %s", f.Filename, len(*f.Head), got)
		}
	}
	b.wantScored(t)
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 1}) {
		t.Errorf("stats %+v; want the first child alone", got)
	}
}

// Scanners that read past the C library's table of characters find the same
// in every process, and none ends it.
func TestCharactersPastTheTable(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tokenscore.Config) { c.Budget = time.Hour })
	for path, text := range map[string]string{
		"a.sh": "echo {%s..2} {1%[1]s..2} {1..%[1]s3}\n",
		"a.d":  "int a;\n%s b = 1;\nauto c = q\"%[1]sab\";\n",
		"a.v":  "fn f() {\n\tx := '%sab$%[1]sc ${1}'\n\ty := x\n%[1]s y\n\t& %[1]s z\n}\n",
	} {
		// No letters, digits or spaces; nor are their lowest bytes, which v's scanner takes some for.
		const (
			first = 0x40080
			last  = 0x10ffff
			step  = 0xc00
		)
		var files []tokens.File
		for c := rune(first); c <= last; c += step {
			files = append(files, added(fmt.Sprintf("%x/%s", c, path), fmt.Sprintf(text, string(c))))
		}
		got := map[tokens.Breakdown]int{}
		for _, f := range b.score(t, files...).Files {
			if f.Breakdown == nil {
				t.Fatalf("%s: %+v; want a tree", path, f)
			}
			got[*f.Breakdown]++
		}
		if len(got) != 1 {
			t.Errorf("%s: figures by how often they came %v; want the same for every character", path, got)
		}
	}
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 1}) {
		t.Errorf("stats %+v; want the first child alone", got)
	}
}

// An empty text has no nodes; bytes that are no UTF-8 have some.
func TestNodesOfOddTexts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for text, want := range map[string]bool{"": false, "\xff": true, "\x00": true, "x": true} {
		if f := b.score(t, added("a.py", text)).Files[0]; (f.Nodes > 0) != want || f.Method != tokens.MethodTreeDiff {
			t.Errorf("%q: %+v; want nodes: %v", text, f, want)
		}
	}
}

// Bytes that are no UTF-8 arrive as U+FFFD each, three bytes long: JSON has no
// other way to hold them. It is those that count towards the largest size.
func TestInvalidUTF8AsTheMirrorDeliversIt(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tokenscore.Config) { c.Budget = time.Hour })
	for _, tt := range []struct {
		bytes int
		want  tokens.Method
	}{{333_333, tokens.MethodTreeDiff}, {333_334, tokens.MethodSkippedLarge}} {
		var head string
		must.Do(t, json.Unmarshal([]byte(`"`+strings.Repeat("\xff", tt.bytes)+`"`), &head))
		f := b.score(t, added("a.go", head)).Files[0]
		if f.Method != tt.want || (f.Nodes > 0) != (tt.want == tokens.MethodTreeDiff) {
			t.Errorf("%d invalid bytes, %d as delivered: %+v; want %s", tt.bytes, len(head), f, tt.want)
		}
	}
	b.wantScored(t)
}

// A child that dies between two pull requests costs neither of them anything.
func TestIdleChildDies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.wantScored(t)
	for _, pid := range b.pool.Pids() {
		must.Do(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	b.wantScored(t)
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 2}) {
		t.Errorf("stats %+v; want 2 children started and nothing lost", got)
	}
}

// Nor does one that hangs between two pull requests, and takes nothing of what
// the next one sends: more than its pipe holds.
func TestIdleChildHangs(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tokenscore.Config) { c.StartTimeout, c.Budget = 5*time.Second, time.Hour })
	b.wantScored(t)
	for _, pid := range b.pool.Pids() {
		must.Do(t, syscall.Kill(pid, syscall.SIGSTOP))
	}
	long := "package a\n" + strings.Repeat("// a comment\n", 60_000)
	for i, f := range b.score(t, added("a.go", long), added("b.go", long+"\n"), added("c.go", long+"func f() {}\n")).Files {
		if f.Method != tokens.MethodTreeDiff || f.Nodes == 0 {
			t.Errorf("file %d: %+v; want a tree diff with nodes", i, f)
		}
	}
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 2}) {
		t.Errorf("stats %+v; want 2 children started and nothing lost", got)
	}
}

// Children outlive the signals that a terminal or a service manager sends to
// all processes: a worker that drains still scores.
func TestChildrenIgnoreTheWorkersSignals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, pid := range b.pool.Pids() {
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
			must.Do(t, syscall.Kill(pid, s))
		}
	}
	b.wantScored(t)
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 1}) {
		t.Errorf("stats %+v; want the first child alone", got)
	}
}

// A cancelled context is an error, never a score of zero; the pool goes on.
func TestCancelledContextIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t, sabotaged(t), func(c *tokenscore.Config) { c.Budget = time.Minute })
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := b.pool.Score(ctx, "1", b.weights, []tokens.File{added("a.go", hangMark)}, nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Score under a context that ends: error %v, want %v", err, context.DeadlineExceeded)
	}
	if got := b.pool.Stats(); got.Crashed != 0 || got.TimedOut != 0 {
		t.Errorf("stats %+v; want nothing charged to the pull request", got)
	}
	b.wantScored(t)
}
