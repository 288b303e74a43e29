package scoring_test

import (
	"bytes"
	"testing"

	"mirrorfleet/shared/scoring"
)

// kindsOfWire: type 0 has a structural weight, type 1 a leaf's, type 2 none.
var kindsOfWire = []scoring.KindWeights{{Structural: 0.3, Leaf: 0.1}, {Leaf: 0.7}, {}}

func wireNodes(text []byte) []scoring.Node {
	nodes := []scoring.Node{{End: uint32(len(text)), Kind: 0}}
	for i := range text {
		nodes = append(nodes, scoring.Node{Start: uint32(i), End: uint32(i + 1), Kind: uint16(i % 3), Leaf: true})
	}
	return nodes
}

// What was written down scores as what was collected, against either side.
func TestSignaturesOnTheWire(t *testing.T) {
	t.Parallel()
	base, head := []byte("func one() { return one }"), []byte("func two() { return one + two }")
	collected := func(text []byte) *scoring.Signatures { return scoring.Collect(text, wireNodes(text), kindsOfWire) }
	decoded := func(text []byte) *scoring.Signatures {
		s, err := scoring.DecodeSignatures(text, collected(text).Encode())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	want := scoring.TreeDiff(collected(base), collected(head), kindsOfWire)
	if want.LeafAddedCount == 0 || want.LeafDeletedCount == 0 {
		t.Fatalf("%+v: want something left over on both sides", want)
	}
	for name, got := range map[string]scoring.Breakdown{
		"head": scoring.TreeDiff(collected(base), decoded(head), kindsOfWire),
		"base": scoring.TreeDiff(decoded(base), collected(head), kindsOfWire),
		"both": scoring.TreeDiff(decoded(base), decoded(head), kindsOfWire),
	} {
		if got != want {
			t.Errorf("%s from the wire: %+v, want %+v", name, got, want)
		}
	}
	if got := decoded(head).Encode(); !bytes.Equal(got, collected(head).Encode()) {
		t.Error("what was read is written down differently")
	}
}

// Whatever comes in is refused or read as it was written; nothing panics, and
// no signature reaches outside its text.
func FuzzDecodeSignatures(f *testing.F) {
	text := []byte("a(b, a)")
	good := scoring.Collect(text, wireNodes(text), kindsOfWire).Encode()
	f.Add(text, good)
	f.Add(text[:3], good)                                // ranges past the text
	f.Add(text, append(bytes.Clone(good), good[:15]...)) // one twice
	f.Add(text, good[:len(good)-1])
	f.Add([]byte{}, make([]byte, 15)) // no times
	f.Fuzz(func(t *testing.T, text, data []byte) {
		s, err := scoring.DecodeSignatures(text, data)
		if err != nil {
			return
		}
		if got := s.Encode(); !bytes.Equal(got, data) {
			t.Errorf("read %x, written %x", data, got)
		}
		scoring.TreeDiff(nil, s, kindsOfWire)
	})
}
