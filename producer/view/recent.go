package view

import (
	"slices"
	"sync"
)

// Recent keeps the values that were used last. Its zero value is empty.
type Recent[K comparable, V any] struct {
	mu   sync.Mutex
	kept []recent[K, V] // the one that was used last is the last
}

type recent[K comparable, V any] struct {
	key   K
	value V
}

// Get returns the value of a key. Nobody may change what it refers to.
func (r *Recent[K, V]) Get(key K) (value V, kept bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.kept, func(one recent[K, V]) bool { return one.key == key })
	if i < 0 {
		return value, false
	}
	found := r.kept[i]
	r.kept = append(slices.Delete(r.kept, i, i+1), found)
	return found.value, true
}

// Keep keeps a value in place of the key's former one. Of more than limit values, it drops the
// one that was used longest ago.
func (r *Recent[K, V]) Keep(key K, value V, limit int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = slices.DeleteFunc(r.kept, func(one recent[K, V]) bool { return one.key == key })
	if len(r.kept) >= limit {
		r.kept = slices.Delete(r.kept, 0, 1)
	}
	r.kept = append(r.kept, recent[K, V]{key, value})
}

// Forget drops the values whose keys are as told.
func (r *Recent[K, V]) Forget(is func(K) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = slices.DeleteFunc(r.kept, func(one recent[K, V]) bool { return is(one.key) })
}
