package view

import (
	"slices"
	"sync"

	"mirrorfleet/shared/jobstream/kv"
)

// marked keeps what was read of the last rounds, each with the mark of what it was read from.
// It is kept only as long as the mark is the same, so it is never older than what is stored.
type marked[T any] struct {
	limit int // of rounds

	mu   sync.Mutex
	kept []oneMarked[T] // the one that was used last is the last
}

type oneMarked[T any] struct {
	round string
	mark  kv.Mark
	value T
}

// read returns what is kept of a round, or reads it. The mark is read first: what changes
// in between differs from it the next time. An error is not kept. A nil marked keeps nothing,
// and needs no mark. Nobody may change what a value refers to.
func (m *marked[T]) read(round string, mark func() (kv.Mark, error), read func() (T, error)) (T, error) {
	if m == nil {
		return read()
	}
	now, err := mark()
	if err != nil {
		var none T
		return none, err
	}
	if value, kept := m.get(round, now); kept {
		return value, nil
	}
	value, err := read()
	if err == nil {
		m.keep(oneMarked[T]{round, now, value})
	}
	return value, err
}

func (m *marked[T]) get(round string, mark kv.Mark) (value T, kept bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.kept, func(one oneMarked[T]) bool { return one.round == round && one.mark == mark })
	if i < 0 {
		return value, false
	}
	found := m.kept[i]
	m.kept = append(slices.Delete(m.kept, i, i+1), found)
	return found.value, true
}

// keep keeps a value, and drops the one that was used longest ago.
func (m *marked[T]) keep(one oneMarked[T]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = slices.DeleteFunc(m.kept, func(old oneMarked[T]) bool { return old.round == one.round })
	if len(m.kept) == m.limit {
		m.kept = slices.Delete(m.kept, 0, 1)
	}
	m.kept = append(m.kept, one)
}
