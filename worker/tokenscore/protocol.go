package tokenscore

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"mirrorfleet/shared/scoring"
)

// protocol is the version of what the frames hold.
const protocol = 2

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

// figuresLength is eight numbers: four counts, and four scores by their bits,
// so that they arrive equal to the last one.
const figuresLength = 8 * 8

// timingLength is what a child adds that was asked to measure: two instants.
const timingLength = 2 * 8

func encodeFigures(b *scoring.Breakdown) []byte {
	out := make([]byte, 0, figuresLength+timingLength)
	for _, count := range []int{b.StructuralAddedCount, b.StructuralDeletedCount, b.LeafAddedCount, b.LeafDeletedCount} {
		out = binary.BigEndian.AppendUint64(out, uint64(count))
	}
	for _, score := range []float64{b.StructuralAddedScore, b.StructuralDeletedScore, b.LeafAddedScore, b.LeafDeletedScore} {
		out = binary.BigEndian.AppendUint64(out, math.Float64bits(score))
	}
	return out
}

// timing is when a child scored a file, in nanoseconds since 1970. Its clock is
// the parent's: they run on one machine. Zero without a trace.
type timing struct{ start, end int64 }

func (t timing) appendTo(figures []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(figures, uint64(t.start)), uint64(t.end))
}

// decodeTimed reads figures that may have a timing behind them.
func decodeTimed(data []byte) (scoring.Breakdown, timing, error) {
	if len(data) != figuresLength+timingLength {
		figures, err := decodeFigures(data)
		return figures, timing{}, err
	}
	behind := data[figuresLength:]
	figures, err := decodeFigures(data[:figuresLength])
	return figures, timing{int64(binary.BigEndian.Uint64(behind)), int64(binary.BigEndian.Uint64(behind[8:]))}, err
}

func decodeFigures(data []byte) (scoring.Breakdown, error) {
	if len(data) != figuresLength {
		return scoring.Breakdown{}, &FrameError{
			Type: frameFigures, Length: uint32(len(data)), Reason: fmt.Sprintf("want %d bytes", figuresLength),
		}
	}
	number := func(i int) uint64 { return binary.BigEndian.Uint64(data[8*i:]) }
	return scoring.Breakdown{
		StructuralAddedCount: int(number(0)), StructuralDeletedCount: int(number(1)),
		LeafAddedCount: int(number(2)), LeafDeletedCount: int(number(3)),
		StructuralAddedScore: math.Float64frombits(number(4)), StructuralDeletedScore: math.Float64frombits(number(5)),
		LeafAddedScore: math.Float64frombits(number(6)), LeafDeletedScore: math.Float64frombits(number(7)),
	}, nil
}
