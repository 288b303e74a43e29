package parity_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// question is one line that conformance/ours.py writes: one of its fields is set.
type question struct {
	// Case is the path of a case, whose rounds are played. Its expected may be absent.
	Case string `json:"case"`
	// Read is the path of a case, to be told what it is.
	Read string `json:"read"`
	// Pack is the path of a case to compress, as the project's own cases are.
	Pack string `json:"pack"`
	// Registry is a registry file.
	Registry json.RawMessage `json:"registry"`
	// Pairs are files, each of which is the only file of a pull request. Languages and
	// Tokens are the two weights files to score them with, if not the built-in ones.
	Pairs     []tokens.File   `json:"pairs"`
	Languages json.RawMessage `json:"languages"`
	Tokens    json.RawMessage `json:"tokens"`
}

// reply is the answer. Refused says that a reader of the product refuses the registry or the
// weights, which is a result too; Error says why there is none.
type reply struct {
	Case     *mirrorsim.Case `json:"case,omitempty"`
	Rounds   []replyRound    `json:"rounds,omitempty"`
	Pairs    []replyPair     `json:"pairs,omitempty"`
	Registry any             `json:"registry,omitempty"` // an input.Registry, by the names of its fields
	Refused  string          `json:"refused,omitempty"`
	Error    string          `json:"error,omitempty"`
}

// replyRound is what one round came to, in the form of what a case expects. Windows and
// Files are beside it: no case has them.
type replyRound struct {
	Outcome any                             `json:"outcome"`
	Windows map[string]time.Time            `json:"windows"`
	Files   map[string][]tokens.FileFigures `json:"files"`
}

type replyPair struct {
	File      tokens.FileFigures `json:"file"`
	BaseScore float64            `json:"base_score"`
}

// conformEnv lets TestConform answer.
const conformEnv = "MIRRORFLEET_CONFORM"

// replyMark begins each line of an answer: the test's own lines are among them.
const replyMark = "conform "

// TestConform answers what conformance/ asks on its standard input, one line for each
// question, until it ends. make conform runs it. MIRRORFLEET_CONFORM names the languages
// that the checkout's parser does not load, or is "none".
func TestConform(t *testing.T) { //nolint:paralleltest // it has the standard input for itself
	if os.Getenv(conformEnv) == "" {
		t.Skip("conformance/ runs it: make conform VALIDATOR=DIR")
	}
	s := startScorer(t)
	s.weights = must.Get(weights(tokens.DefaultWeights()))(t)
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return
		}
		must.Do(t, err)
		a, asked := (*reply)(nil), told{}
		t.Run("question", func(t *testing.T) {
			asked.TB = t
			a = s.answer(&asked, line)
		})
		if a == nil || asked.said != "" {
			a = &reply{Error: cmp.Or(asked.said, "the test ended before it answered")}
		}
		_, err = fmt.Fprintf(os.Stdout, "%s%s\n", replyMark, must.Get(json.Marshal(a))(t))
		must.Do(t, err)
	}
}

// told is a test that keeps what it failed with: the answer says it, and the next question is
// answered. A test that has failed ends the process with 1.
type told struct {
	testing.TB

	said string
}

func (t *told) Fatal(args ...any)                 { t.keep(fmt.Sprint(args...)); t.SkipNow() }
func (t *told) Fatalf(format string, args ...any) { t.keep(fmt.Sprintf(format, args...)); t.SkipNow() }
func (t *told) Error(args ...any)                 { t.keep(fmt.Sprint(args...)) }
func (t *told) Errorf(format string, args ...any) { t.keep(fmt.Sprintf(format, args...)) }

func (t *told) keep(said string) {
	t.Log(said)
	t.said = strings.TrimPrefix(t.said+"; "+said, "; ")
}

// weights are two weights files, without the languages that the checkout's parser lacks.
func weights(languages, weights []byte) (*tokens.Weights, error) {
	w, err := tokens.ParseWeights(languages, weights)
	if without := os.Getenv(conformEnv); err == nil && without != "none" {
		return w.Without(strings.Split(without, ","))
	}
	return w, err
}

// answer is one answer. What is refused is an answer too.
func (s *scorer) answer(tb testing.TB, line []byte) *reply {
	tb.Helper()
	var q question
	a, refused := &reply{}, error(nil)
	err := json.Unmarshal(line, &q)
	switch {
	case err != nil:
	case q.Case != "":
		if a.Case, err = mirrorsim.ReadCase(q.Case); err == nil {
			return &reply{Rounds: s.rounds(tb, &world{a.Case, caseName(q.Case)})}
		}
	case q.Read != "":
		a.Case, err = mirrorsim.ReadCase(q.Read)
	case q.Pack != "":
		err = pack(q.Pack)
	case q.Registry != nil:
		a.Registry, refused = input.ParseRegistry(q.Registry)
	default:
		with := *s // the next question has its own weights
		if q.Languages != nil {
			with.weights, refused = weights(q.Languages, q.Tokens)
		}
		if refused == nil {
			a.Pairs = with.pairs(tb, q.Pairs)
		}
	}
	if refused != nil {
		return &reply{Refused: refused.Error()}
	}
	if err != nil {
		return &reply{Error: err.Error()}
	}
	return a
}

// pack compresses a case, and removes the file that it was.
func pack(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		return err
	}
	if err = os.WriteFile(file+".zst", encoder.EncodeAll(data, nil), 0o600); err != nil {
		return err
	}
	return os.Remove(file)
}

// rounds plays a case through the rules as pure functions.
func (s *scorer) rounds(tb testing.TB, c *world) (rounds []replyRound) {
	tb.Helper()
	for _, played := range run(tb, *s, c) {
		r := replyRound{
			Outcome: shaped(played.outcome), Windows: played.input.Registry.Windows(played.input.AsOf),
			Files: map[string][]tokens.FileFigures{},
		}
		for _, e := range played.input.Evaluations {
			for _, pull := range slices.Concat(e.Merged, e.Open, e.Closed) {
				if pull.Tokens != nil {
					r.Files[fmt.Sprintf("%s#%d", pull.Repository, pull.Number)] = pull.Tokens.Files
				}
			}
		}
		rounds = append(rounds, r)
	}
	return rounds
}

// pairs scores each file as the only one of a pull request.
func (s *scorer) pairs(tb testing.TB, files []tokens.File) (scored []replyPair) {
	tb.Helper()
	scale := input.DefaultRepository("").Scoring.SrcTokSaturationScale
	for i := range files {
		got := must.Get(s.pool.Score(tb.Context(), "the pairs", s.weights, files[i:i+1], nil))(tb)
		scored = append(scored, replyPair{got.Figures.Files[0], tokens.BaseScore(&got.Figures, scale)})
	}
	return scored
}
