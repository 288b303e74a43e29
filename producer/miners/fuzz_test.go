package miners_test

import (
	"errors"
	"strings"
	"testing"

	"mirrorfleet/producer/miners"
)

// Whatever a file holds, it is read whole or refused as not usable; what is said
// of it holds no longer piece of it than a key of an object, cut short.
func FuzzFiles(f *testing.F) {
	for _, seed := range []string{
		theFile, theMetagraph, `[]`, `{}`, `null`, `["h0", null]`, `{"0": "a", "0": "b"}`, `{"1": {}}`, `{"exported_at": 1e99, "hotkeys": {}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, notes, err := miners.ParseTokens(data)
		if err != nil && (!errors.Is(err, miners.ErrUnusable) || list != nil) {
			t.Errorf("tokens: %v with %d entries, want ErrUnusable and none", err, len(list))
		}
		said := strings.Join(notes, "\n")
		if err != nil {
			said += err.Error()
		}
		if strings.Contains(said, "PLANTED") {
			t.Errorf("a token in %q", said)
		}
		m, err := miners.ParseMetagraph(data)
		if err != nil && !errors.Is(err, miners.ErrUnusable) || err == nil && len(m.Hotkeys) == 0 {
			t.Errorf("metagraph: %v with %d uids, want ErrUnusable or some", err, len(m.Hotkeys))
		}
		if miners.LookUps(m, list); len(miners.Decide(m, list, nil)) != len(m.Hotkeys) {
			t.Error("not every uid is decided")
		}
	})
}
