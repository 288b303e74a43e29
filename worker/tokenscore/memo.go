package tokenscore

import (
	"bytes"
	"container/list"
	"hash/maphash"

	"mirrorfleet/shared/scoring"
)

// memoSize bounds what a child remembers, in bytes: some hundreds of files.
const memoSize = 32 << 20

// memo remembers the signatures of the texts used last, up to a size.
type memo struct {
	seed      maphash.Seed
	left      int
	byContent map[uint64]*list.Element // of *remembered
	recent    *list.List               // front: used last
}

type remembered struct {
	key        uint64
	language   string
	text       []byte
	signatures *scoring.Signatures
}

func newMemo(size int) *memo {
	return &memo{seed: maphash.MakeSeed(), left: size, byContent: make(map[uint64]*list.Element), recent: list.New()}
}

func (m *memo) key(language string, text []byte) uint64 {
	return maphash.Bytes(m.seed, text) ^ maphash.String(m.seed, language)
}

// get compares the text itself: a hash alone would decide about money.
func (m *memo) get(language string, text []byte) *scoring.Signatures {
	element, found := m.byContent[m.key(language, text)]
	if !found {
		return nil
	}
	r := element.Value.(*remembered) //nolint:forcetypeassert // the list holds nothing else
	if r.language != language || !bytes.Equal(r.text, text) {
		return nil
	}
	m.recent.MoveToFront(element)
	return r.signatures
}

// put remembers a text that get did not find, and forgets the oldest ones until
// it fits. A text that fills half of the memory is not worth it.
func (m *memo) put(language string, text []byte, s *scoring.Signatures) {
	key := m.key(language, text)
	if _, taken := m.byContent[key]; taken || s.Size() > memoSize/2 {
		return
	}
	m.byContent[key] = m.recent.PushFront(&remembered{key, language, text, s})
	for m.left -= s.Size(); m.left < 0; {
		oldest := m.recent.Back()
		r := m.recent.Remove(oldest).(*remembered) //nolint:forcetypeassert // as in get
		delete(m.byContent, r.key)
		m.left += r.signatures.Size()
	}
}
