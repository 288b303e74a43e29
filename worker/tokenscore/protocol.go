package tokenscore

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"mirrorfleet/shared/scoring"
)

// protocol is the version of what the frames hold.
const protocol = 4

// hello is a child's first frame.
type hello struct {
	Protocol int    `json:"protocol"`
	Grammars string `json:"grammars"` // the manifest's digest
}

// weightsMessage is what a child needs of the weights: those of node types.
// Extensions and languages are the parent's business.
type weightsMessage struct {
	Digest     string             `json:"digest"`
	Structural map[string]float64 `json:"structural"`
	Leaf       map[string]float64 `json:"leaf"`
}

func encodeWeights(w *scoring.Weights) ([]byte, error) {
	data, err := json.Marshal(weightsMessage{Digest: w.Digest(), Structural: w.Structural(), Leaf: w.Leaf()})
	if err != nil {
		return nil, fmt.Errorf("encoding the weights: %w", err)
	}
	return data, nil
}

// figuresLength is ten numbers: four counts, four scores by their bits, so that
// they arrive equal to the last one, and the two instants of a timing. The
// largest contributions follow as JSON, in which a number comes back as it was,
// too.
const figuresLength = 10 * 8

// timing is when a child scored a file, in nanoseconds since 1970. Its clock is
// the parent's: they run on one machine. Zero without a trace.
type timing struct{ start, end int64 }

func encodeFigures(d *scoring.Diff, when timing) ([]byte, error) {
	b := &d.Breakdown
	out := make([]byte, 0, figuresLength)
	for _, count := range []int{b.StructuralAddedCount, b.StructuralDeletedCount, b.LeafAddedCount, b.LeafDeletedCount} {
		out = binary.BigEndian.AppendUint64(out, uint64(count))
	}
	for _, score := range []float64{b.StructuralAddedScore, b.StructuralDeletedScore, b.LeafAddedScore, b.LeafDeletedScore} {
		out = binary.BigEndian.AppendUint64(out, math.Float64bits(score))
	}
	for _, instant := range []int64{when.start, when.end} {
		out = binary.BigEndian.AppendUint64(out, uint64(instant))
	}
	largest, err := json.Marshal(d.Largest)
	if err != nil {
		return nil, fmt.Errorf("encoding the contributions: %w", err)
	}
	return append(out, largest...), nil
}

func decodeFigures(data []byte) (scoring.Diff, timing, error) {
	wrong := func(reason string) (scoring.Diff, timing, error) {
		return scoring.Diff{}, timing{}, &FrameError{Type: frameFigures, Length: uint32(len(data)), Reason: reason}
	}
	if len(data) < figuresLength {
		return wrong(fmt.Sprintf("want at least %d bytes", figuresLength))
	}
	var largest []scoring.Contribution
	if err := json.Unmarshal(data[figuresLength:], &largest); err != nil {
		return wrong("the contributions cannot be read: " + err.Error())
	}
	number := func(i int) uint64 { return binary.BigEndian.Uint64(data[8*i:]) }
	return scoring.Diff{Largest: largest, Breakdown: scoring.Breakdown{
		StructuralAddedCount: int(number(0)), StructuralDeletedCount: int(number(1)),
		LeafAddedCount: int(number(2)), LeafDeletedCount: int(number(3)),
		StructuralAddedScore: math.Float64frombits(number(4)), StructuralDeletedScore: math.Float64frombits(number(5)),
		LeafAddedScore: math.Float64frombits(number(6)), LeafDeletedScore: math.Float64frombits(number(7)),
	}}, timing{start: int64(number(8)), end: int64(number(9))}, nil
}
