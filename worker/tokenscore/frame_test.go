package tokenscore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore"
)

func frame(tb testing.TB, kind byte, payload string) []byte {
	tb.Helper()
	var b bytes.Buffer
	must.Do(tb, tokenscore.WriteFrame(&b, kind, []byte(payload)))
	return b.Bytes()
}

// A stream that ends inside a frame, or announces too much, is an error that
// says so; only an end between frames is an orderly one.
func TestReadFrame(t *testing.T) {
	t.Parallel()
	whole := frame(t, tokenscore.FrameText, "text")
	for name, tt := range map[string]struct {
		in   []byte
		want error
	}{
		"whole":          {whole, nil},
		"nothing":        {nil, io.EOF},
		"in the header":  {whole[:3], io.ErrUnexpectedEOF},
		"no payload":     {whole[:5], io.ErrUnexpectedEOF},
		"in the payload": {whole[:7], io.ErrUnexpectedEOF},
	} {
		if _, _, err := tokenscore.ReadFrame(bytes.NewReader(tt.in)); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: error %v, want %v", name, err, tt.want)
		}
	}
	_, _, err := tokenscore.ReadFrame(bytes.NewReader([]byte{tokenscore.FrameText, 0xff, 0xff, 0xff, 0xff}))
	var bad *tokenscore.FrameError
	if !errors.As(err, &bad) || bad.Length != 1<<32-1 {
		t.Errorf("a frame of 4 GB: error %v, want a FrameError of that length", err)
	}
}

// Whatever comes in, a frame is read back as it was written or refused; it is
// never larger than the bound, and nothing panics.
func FuzzReadFrame(f *testing.F) {
	f.Add(frame(f, tokenscore.FrameText, "text"))
	f.Add([]byte{tokenscore.FrameText, 0, 0x40, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		kind, payload, err := tokenscore.ReadFrame(bytes.NewReader(in))
		if err != nil {
			return
		}
		if got := frame(t, kind, string(payload)); !bytes.HasPrefix(in, got) {
			t.Errorf("frame %q read from %q", got, in)
		}
	})
}

// Figures arrive as they were, to the last bit; whatever else is said for them is
// refused or has a meaning, and nothing panics.
func FuzzFigures(f *testing.F) {
	f.Add(tokenscore.EncodeFigures(&tokens.Diff{}))
	f.Add(tokenscore.EncodeFigures(&tokens.Diff{
		Breakdown: tokens.Breakdown{StructuralAddedCount: 1, LeafDeletedCount: 4, StructuralDeletedScore: 0.1, LeafAddedScore: math.NaN()},
		Largest:   []tokens.Contribution{{Type: "block", Added: 2, Score: 0.3}, {Type: "", Leaf: true, Deleted: 1, Score: math.Inf(1)}},
	}))
	f.Fuzz(func(t *testing.T, in []byte) {
		read, err := tokenscore.DecodeFigures(in)
		if bad, refused := errors.AsType[*tokenscore.FrameError](err); err != nil && (!refused || bad.Length != uint32(len(in))) {
			t.Fatalf("error %v, want a FrameError of length %d", err, len(in))
		}
		if err != nil {
			return
		}
		again, err := tokenscore.DecodeFigures(tokenscore.EncodeFigures(&read))
		if diff := cmp.Diff(read, again, cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })); err != nil || diff != "" {
			t.Errorf("read, written and read again: %v\n%s", err, diff)
		}
	})
}

// A child answers any stream of frames with an orderly end or an error, and
// never goes down with it.
func FuzzServe(f *testing.F) {
	weights := `{"digest": "d", "structural": {"block": 1}, "leaf": {"identifier": 1}}`
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	f.Add(join(frame(f, tokenscore.FrameWeights, weights), frame(f, tokenscore.FrameBegin, ""), frame(f, tokenscore.FrameLanguage, "go"),
		frame(f, tokenscore.FrameText, "package a"), frame(f, tokenscore.FrameText, "package b")))
	f.Add(join(frame(f, tokenscore.FrameLanguage, "cobol"), frame(f, tokenscore.FrameText, ""), frame(f, tokenscore.FrameText, "x")))
	f.Add(join(frame(f, tokenscore.FrameWeights, "{"), frame(f, 'q', "")))
	f.Fuzz(func(_ *testing.T, in []byte) {
		_ = tokenscore.Serve(context.Background(), bytes.NewReader(in), io.Discard, tokenscore.ChildConfig{Grammars: fleettest.Grammars()})
	})
}
