package scoring

import (
	"encoding/binary"
	"fmt"
)

// wireSize is what one signature takes: where its bytes stand in the text, how
// often it occurs, its node type, and whether it is a leaf's.
const wireSize = 4 + 4 + 4 + 2 + 1

// Encode writes the multiset down for DecodeSignatures, without the text.
func (s *Signatures) Encode() []byte {
	out := make([]byte, 0, wireSize*len(s.list))
	for i := range s.list {
		sig := &s.list[i]
		out = binary.BigEndian.AppendUint32(out, sig.start)
		out = binary.BigEndian.AppendUint32(out, sig.end)
		out = binary.BigEndian.AppendUint32(out, uint32(sig.count))
		out = binary.BigEndian.AppendUint16(out, sig.kind)
		leaf := byte(0)
		if sig.leaf {
			leaf = 1
		}
		out = append(out, leaf)
	}
	return out
}

// DecodeSignatures is the multiset that Encode wrote down, of the same text: in
// the same order, equal to the last bit in what it scores.
func DecodeSignatures(text, data []byte) (*Signatures, error) {
	if len(data)%wireSize != 0 {
		return nil, fmt.Errorf("signatures of %d bytes: want a multiple of %d", len(data), wireSize)
	}
	n := len(data) / wireSize
	s := &Signatures{text: text, list: make([]signature, 0, n)}
	size := 64
	for size < 2*n {
		size *= 2
	}
	s.grow(size)
	for ; len(data) > 0; data = data[wireSize:] {
		sig := signature{
			start: binary.BigEndian.Uint32(data), end: binary.BigEndian.Uint32(data[4:]),
			count: int32(binary.BigEndian.Uint32(data[8:])), kind: binary.BigEndian.Uint16(data[12:]), leaf: data[14] == 1,
		}
		if sig.start > sig.end || int64(sig.end) > int64(len(text)) || sig.count < 1 || data[14] > 1 {
			return nil, fmt.Errorf("a signature of bytes %d to %d, %d times, in a text of %d bytes",
				sig.start, sig.end, sig.count, len(text))
		}
		sig.hash = sig.hashIn(text)
		slot, found := s.find(&sig, text)
		if found {
			return nil, fmt.Errorf("two signatures of type %d and bytes %d to %d", sig.kind, sig.start, sig.end)
		}
		s.list = append(s.list, sig)
		s.table[slot] = int32(len(s.list))
	}
	return s, nil
}
