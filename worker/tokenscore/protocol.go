package tokenscore

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore/sandbox"
)

// protocol is the version of the frames' contents.
const protocol = 8

// hello is a child's first frame.
type hello struct {
	Protocol int    `json:"protocol"`
	Grammars string `json:"grammars"` // the manifest's digest
	// Sandbox is how the child has confined itself.
	Sandbox sandbox.State `json:"sandbox"`
}

// weightsMessage is the part of the weights that a child needs: those of node types. The
// parent handles extensions and languages.
type weightsMessage struct {
	Digest     string             `json:"digest"`
	Structural map[string]float64 `json:"structural"`
	Leaf       map[string]float64 `json:"leaf"`
}

func encodeWeights(w *tokens.Weights) ([]byte, error) {
	data, err := json.Marshal(weightsMessage{Digest: w.Digest(), Structural: w.Structural(), Leaf: w.Leaf()})
	if err != nil {
		return nil, fmt.Errorf("encoding the weights: %w", err)
	}
	return data, nil
}

// timing is when a child scored a file, in nanoseconds since 1970; zero without a trace.
// Parent and child share the machine's clock.
type timing struct{ start, end int64 }

// Figures are numbers of eight bytes: four counts, four scores by their bits (so
// that every bit arrives), whether a parse ran out of time, and the two instants of
// a timing. Each of the largest contributions adds five more and its node type; the
// first of the five is the length of the node type.
const (
	numberLength       = 8
	figuresLength      = 11 * numberLength
	contributionLength = 5 * numberLength
)

func encodeFigures(d *tokens.Diff, when timing) []byte {
	b, out := &d.Breakdown, make([]byte, 0, 512)
	add := func(numbers ...uint64) {
		for _, n := range numbers {
			out = binary.BigEndian.AppendUint64(out, n)
		}
	}
	add(uint64(b.StructuralAddedCount), uint64(b.StructuralDeletedCount), uint64(b.LeafAddedCount), uint64(b.LeafDeletedCount))
	add(math.Float64bits(b.StructuralAddedScore), math.Float64bits(b.StructuralDeletedScore))
	add(math.Float64bits(b.LeafAddedScore), math.Float64bits(b.LeafDeletedScore))
	add(flag(d.OutOfTime), uint64(when.start), uint64(when.end))
	for i := range d.Largest {
		c := &d.Largest[i]
		add(uint64(len(c.Type)), flag(c.Leaf), uint64(c.Added), uint64(c.Deleted), math.Float64bits(c.Score))
		out = append(out, c.Type...)
	}
	return out
}

func flag(set bool) uint64 {
	if set {
		return 1
	}
	return 0
}

func decodeFigures(data []byte) (tokens.Diff, timing, error) {
	rest := data
	number := func(i int) uint64 { return binary.BigEndian.Uint64(rest[numberLength*i:]) }
	wrong := func(want int) (tokens.Diff, timing, error) {
		return tokens.Diff{}, timing{}, &FrameError{Type: frameFigures, Length: uint32(len(data)),
			Reason: fmt.Sprintf("want at least %d bytes from byte %d on", want, len(data)-len(rest))}
	}
	if len(rest) < figuresLength {
		return wrong(figuresLength)
	}
	d := tokens.Diff{Breakdown: tokens.Breakdown{
		StructuralAddedCount:   int(number(0)),
		StructuralDeletedCount: int(number(1)),
		LeafAddedCount:         int(number(2)),
		LeafDeletedCount:       int(number(3)),
		StructuralAddedScore:   math.Float64frombits(number(4)),
		StructuralDeletedScore: math.Float64frombits(number(5)),
		LeafAddedScore:         math.Float64frombits(number(6)),
		LeafDeletedScore:       math.Float64frombits(number(7)),
	}, OutOfTime: number(8) == 1}
	when := timing{start: int64(number(9)), end: int64(number(10))}
	for rest = rest[figuresLength:]; len(rest) > 0; {
		if len(rest) < contributionLength {
			return wrong(contributionLength)
		}
		length := number(0)
		if length > uint64(len(rest)-contributionLength) {
			return wrong(contributionLength + int(min(length, maxFrame)))
		}
		end := contributionLength + int(length)
		d.Largest = append(d.Largest, tokens.Contribution{
			Type:    string(rest[contributionLength:end]),
			Leaf:    number(1) == 1,
			Added:   int(number(2)),
			Deleted: int(number(3)),
			Score:   math.Float64frombits(number(4)),
		})
		rest = rest[end:]
	}
	return d, when, nil
}
