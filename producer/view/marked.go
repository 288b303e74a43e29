package view

import "mirrorfleet/shared/jobstream/kv"

// marked keeps what was read of the last rounds, each with the mark of what it was read from.
// It is kept only as long as the mark is the same, so it is never older than what is stored.
type marked[T any] struct {
	limit int // of rounds
	kept  Recent[string, oneMarked[T]]
}

type oneMarked[T any] struct {
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
	if one, kept := m.kept.Get(round); kept && one.mark == now {
		return one.value, nil
	}
	value, err := read()
	if err == nil {
		m.kept.Keep(round, oneMarked[T]{now, value}, m.limit)
	}
	return value, err
}
