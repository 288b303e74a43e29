package tokens

import "hash/maphash"

// Node is one node of a syntax tree, in the order of a depth-first walk. Only nodes
// with a signature are needed: leaves, and nodes whose type has a structural weight.
// Comments must be left out, with everything under them.
type Node struct {
	Start, End uint32 // the node's bytes in the text: End is exclusive
	Kind       uint16 // the node type's number: one type, one number
	Leaf       bool
}

// KindWeights are the weights of one node type.
type KindWeights struct{ Structural, Leaf float64 }

// Signatures is the multiset of signatures of one text, in the order of their first
// appearance in the walk. It keeps the text, because its leaves refer to it. It never
// changes once collected and is safe for concurrent use.
type Signatures struct {
	text  string
	list  []signature
	table []int32 // open addressing over list: index + 1, 0 is free
}

type signature struct {
	hash       uint64
	start, end uint32
	count      int32
	kind       uint16
	leaf       bool
}

// hashSeed is random for each process, so no text can be made to collide. Hashes are
// never stored, and decide only where a signature is looked for.
var hashSeed = maphash.MakeSeed() //nolint:gochecknoglobals // see above

// Collect builds the multiset of a text's nodes. A node's structural signature comes
// before its leaf signature: docs/rules/scoring.md#order-of-sums. The nodes come from a
// process that may have been taken over, so ranges are cut to the text.
func Collect(text string, nodes []Node, kinds []KindWeights) *Signatures {
	s := &Signatures{text: text}
	s.grow(64)
	for i := range nodes {
		n := &nodes[i]
		if int(n.Kind) < len(kinds) && kinds[n.Kind].Structural > 0 {
			sig := signature{kind: n.Kind, count: 1}
			sig.hash = sig.hashIn(text)
			s.count(sig)
		}
		if n.Leaf {
			end := min(int(n.End), len(text))
			start := min(int(n.Start), end)
			sig := signature{
				kind:  n.Kind,
				leaf:  true,
				start: uint32(start),
				end:   uint32(end),
				count: 1,
			}
			sig.hash = sig.hashIn(text)
			s.count(sig)
		}
	}
	return s
}

// Size is about the memory that it takes, in bytes, the text included.
func (s *Signatures) Size() int {
	const signatureSize, slotSize = 32, 4
	return len(s.text) + signatureSize*cap(s.list) + slotSize*len(s.table)
}

// hashIn is the hash of a signature whose bytes are in text.
func (sig *signature) hashIn(text string) uint64 {
	if !sig.leaf {
		return kindHash(sig.kind)
	}
	return maphash.String(hashSeed, text[sig.start:sig.end]) ^ kindHash(sig.kind)<<1
}

// kindHash spreads the few numbers of node types over all bits.
func kindHash(kind uint16) uint64 { return (uint64(kind) + 1) * 0x9e3779b97f4a7c15 }

func (s *Signatures) count(sig signature) {
	slot, found := s.find(&sig, s.text)
	if found {
		s.list[s.table[slot]-1].count++
		return
	}
	s.list = append(s.list, sig)
	s.table[slot] = int32(len(s.list))
	if 2*len(s.list) > len(s.table) {
		s.grow(2 * len(s.table))
	}
}

// find returns the slot of a signature whose bytes are in text, or the free
// slot where it belongs.
func (s *Signatures) find(sig *signature, text string) (slot int, found bool) {
	mask := len(s.table) - 1
	for slot = int(sig.hash>>32^sig.hash) & mask; s.table[slot] != 0; slot = (slot + 1) & mask {
		other := &s.list[s.table[slot]-1]
		if other.hash == sig.hash && other.kind == sig.kind && other.leaf == sig.leaf &&
			s.text[other.start:other.end] == text[sig.start:sig.end] {
			return slot, true
		}
	}
	return slot, false
}

// grow rebuilds the table with this size, a power of two. It is at most half full, so
// that probing ends.
func (s *Signatures) grow(size int) {
	s.table = make([]int32, size)
	mask := size - 1
	for i := range s.list {
		slot := int(s.list[i].hash>>32^s.list[i].hash) & mask
		for s.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		s.table[slot] = int32(i + 1)
	}
}
