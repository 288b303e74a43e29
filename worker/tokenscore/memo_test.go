package tokenscore //nolint:testpackage // a memo is nobody's but the pool's

import (
	"strings"
	"testing"
)

// A memo keeps what was used last, within its size; weights, language and text
// all have to be the same.
func TestMemo(t *testing.T) {
	t.Parallel()
	of := func(c content) *keyed { k := newKeyed(seed, c); return &k }
	c := func(text string) *keyed { return of(content{"weights", "go", text}) }
	m := newMemo(3 * (256 + 10))
	for _, text := range []string{"first", "other", "third"} {
		m.put(c(text), []byte(text))
	}
	if got := string(m.get(c("first"))); got != "first" {
		t.Errorf("first: %q, want its own", got)
	}
	m.put(c("newer"), []byte("newer")) // instead of the one that was not used since
	for text, want := range map[string]bool{"first": true, "other": false, "third": true, "newer": true} {
		if got := m.get(c(text)) != nil; got != want {
			t.Errorf("%s is remembered: %v, want %v", text, got, want)
		}
	}
	for _, other := range []content{{"others", "go", "first"}, {"weights", "rust", "first"}, {"weights", "go", "First"}} {
		if got := m.get(of(other)); got != nil {
			t.Errorf("%v: %q, want nothing", other, got)
		}
	}
	m.put(c("no tree"), nil) // a parse that ran out of time may not the next time
	if m.get(c("no tree")) != nil || m.left < 0 {
		t.Errorf("no signatures are remembered, %d bytes left", m.left)
	}
	m.put(c("huge"), []byte(strings.Repeat("x", memoSize)))
	if m.get(c("huge")) != nil || m.get(c("first")) == nil {
		t.Error("what fills the memory is remembered instead of the rest")
	}
}
