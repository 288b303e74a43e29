package tokenscore

import (
	"container/list"
	"hash/maphash"
	"sync"
)

// memoSize bounds what a pool remembers, in bytes: about a thousand texts.
const memoSize = 32 << 20

// memo remembers the signatures of the texts used last, as children told them,
// up to a size. All children of a pool share it. It is safe for concurrent use.
type memo struct {
	mu     sync.Mutex
	left   int
	byText map[uint64]*list.Element // of *remembered
	recent *list.List               // front: used last
}

type remembered struct {
	keyed

	signatures []byte
}

// content is what signatures depend on, beside the grammars.
type content struct{ weights, language, text string }

// keyed is a content with its key, which is made once: texts are long.
type keyed struct {
	content

	key uint64
}

func newKeyed(seed maphash.Seed, c content) keyed { return keyed{c, maphash.Comparable(seed, c)} }

func newMemo(size int) *memo {
	return &memo{left: size, byText: make(map[uint64]*list.Element), recent: list.New()}
}

// get compares the text itself: a hash alone would decide about money.
func (m *memo) get(k *keyed) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	element, found := m.byText[k.key]
	if !found {
		return nil
	}
	r := element.Value.(*remembered) //nolint:forcetypeassert // the list holds nothing else
	if r.keyed != *k {
		return nil
	}
	m.recent.MoveToFront(element)
	return r.signatures
}

// put remembers a text and forgets the oldest ones until it fits. A text that
// fills half of the memory is not worth it.
func (m *memo) put(k *keyed, signatures []byte) {
	size := func(r *remembered) int { return len(r.text) + len(r.signatures) + 256 }
	added := &remembered{*k, signatures}
	if len(signatures) == 0 || size(added) > memoSize/2 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.byText[k.key]; taken {
		return
	}
	m.byText[k.key] = m.recent.PushFront(added)
	for m.left -= size(added); m.left < 0; {
		r := m.recent.Remove(m.recent.Back()).(*remembered) //nolint:forcetypeassert // as in get
		delete(m.byText, r.key)
		m.left += size(r)
	}
}
