package tokenscore_test

import (
	"bytes"
	"io"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore"
)

// liar is the output of a child that a file has taken over.
type liar struct {
	to   io.Writer
	seen *saboteur
}

// lie is a score that the files here do not have, though their texts might.
const lie = 1000

func (l *liar) Write(answer []byte) (int, error) {
	if answer[0] != tokenscore.FrameFigures || !l.seen.lying && !l.seen.impossible && !l.seen.babbling {
		return l.to.Write(answer)
	}
	said := bytes.Clone(answer)
	if l.seen.lying {
		copy(said[frameHeader:], tokenscore.EncodeFigures(&tokens.Diff{Breakdown: tokens.Breakdown{
			StructuralAddedCount: lie, StructuralAddedScore: lie,
		}}))
	}
	if l.seen.impossible {
		copy(said[frameHeader:], tokenscore.EncodeFigures(&tokens.Diff{Breakdown: tokens.Breakdown{
			LeafAddedCount: 1, LeafAddedScore: math.NaN(),
		}}))
	}
	if l.seen.babbling {
		said = append(said, said...)
	}
	_, err := l.to.Write(said)
	return len(answer), err
}

// frameHeader is what stands before a frame's payload.
const frameHeader = 5

// A file that takes its child over decides the figures of its own author's files
// at most: not another miner's, not those of an author who is not known, not
// those of another round's weights.
func TestATakenOverChildServesNobodyElse(t *testing.T) {
	t.Parallel()
	small := added("pkg/small.go", "package small\n\nfunc One() int { return 1 }\n")
	for name, next := range map[string]struct{ taken, author, unloadable string }{
		"another miner":      {"1", "2", ""},
		"an unknown author":  {"1", "", ""},
		"two of them":        {"", "", ""},
		"after an unknown":   {"", "2", ""},
		"under new weights":  {"1", "1", "csharp"},
		"the next one again": {"2", "1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			honest := setup(t).score(t, small)
			b := setup(t, sabotaged(t))
			figures := b.scoreOf(t, next.taken, added("a.go", "package a // "+lieMark))
			if next.taken != "" {
				figures = b.scoreOf(t, next.taken, small)
			}
			if got := figures.Files[0].Breakdown.StructuralAddedScore; got < lie {
				t.Fatalf("score %g: the child was not taken over", got)
			}
			if next.unloadable != "" {
				b = b.without(t, next.unloadable)
			}
			if diff := cmp.Diff(honest, b.scoreOf(t, next.author, small)); diff != "" {
				t.Errorf("figures (-honest child +this one):\n%s", diff)
			}
			if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 2}) {
				t.Errorf("stats %+v; want 2 children started and nothing lost", got)
			}
		})
	}
}

// Figures that no text can have are a dead child's: they reach nobody, and the
// next pull request is scored. scoring has which ones these are.
func TestImpossibleFiguresAreNoAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, sabotaged(t))
	wantTimedOut(t, b.score(t, added("a.go", "package a // "+impossibleMark)), 1)
	b.wantScored(t)
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 3, Crashed: 2}) {
		t.Errorf("stats %+v; want 3 children started, and a crash in each of two tries", got)
	}
}

// What a child says unasked is nobody's figures: the next pull request, also of
// its own author, has a new child.
func TestAnswersThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t, sabotaged(t))
	large := added("large.go", "package large // "+babbleMark+"\n\nfunc One() int { if true { return 1 }; return 2 }\n")
	if f := b.score(t, large).Files[0]; f.Nodes == 0 {
		t.Fatalf("%+v, want nodes", f)
	}
	b.wantScored(t)
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 2}) {
		t.Errorf("stats %+v; want 2 children started and nothing lost", got)
	}
}

// The files of one miner go to one child, one after the other; only another
// miner's files end it.
func TestAChildServesOneMiner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var pids []int
	for _, author := range []string{"1", "1", "2", "2", "1"} {
		b.scoreOf(t, author, added("a.go", "package a\n"))
		pids = append(pids, b.pool.Pids()...)
	}
	if len(pids) != 5 || pids[0] != pids[1] || pids[1] == pids[2] || pids[2] != pids[3] || pids[3] == pids[4] || pids[0] == pids[4] {
		t.Errorf("processes %v; want one for each miner, and a third when the first one comes again", pids)
	}
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 3}) {
		t.Errorf("stats %+v; want 3 children started and nothing lost", got)
	}
}

// A child that has worked for long is replaced between two pull requests, before the
// kernel kills it in the midst of one.
func TestAChildThatWorkedForLongIsReplaced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, worked := range []time.Duration{time.Minute, 21 * time.Minute} {
		b.pool.Age(worked)
		b.wantScored(t)
	}
	if got := b.pool.Stats(); got != (tokenscore.Stats{Started: 2}) {
		t.Errorf("stats %+v; want the first child and one after it, and nothing lost", got)
	}
}
