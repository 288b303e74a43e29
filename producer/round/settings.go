package round

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring/input"
)

// Given are the settings that an operator gives when he resumes a round. A nil or zero
// field is not given, and is not compared.
type Given struct {
	Miners, Registry, Languages, Tokens *File
	Mirror                              string
	AsOf                                time.Time
	Unloadable                          []string // nil: not given; empty: no language
}

// Differences names each given setting that differs from what the round was planned with.
// Files are compared by content: their names do not matter.
func Differences(m job.Manifest, g Given) []string {
	var list []string
	for _, file := range []struct {
		what    string
		given   *File
		planned json.RawMessage
	}{
		{"registry", g.Registry, m.Registry},
		{"language weights", g.Languages, m.Languages},
		{"token weights", g.Tokens, m.Tokens},
	} {
		if file.given != nil && !sameJSON(file.given.Data, file.planned) {
			list = append(list, fmt.Sprintf("%s holds another %s", file.given.Name, file.what))
		}
	}
	if g.Miners != nil {
		miners, err := input.ParseMiners(g.Miners.Data)
		if err != nil || !slices.EqualFunc(miners, m.Miners, sameMiner) {
			list = append(list, g.Miners.Name+" holds other miners")
		}
	}
	if g.Mirror != "" && g.Mirror != m.Mirror {
		list = append(list, fmt.Sprintf("the mirror is %s, not %s", m.Mirror, g.Mirror))
	}
	if !g.AsOf.IsZero() && !g.AsOf.Equal(m.AsOf) {
		list = append(list, fmt.Sprintf("as_of is %s, not %s", m.AsOf.Format(time.RFC3339Nano), g.AsOf.Format(time.RFC3339Nano)))
	}
	if g.Unloadable != nil && !slices.Equal(g.Unloadable, m.Unloadable) {
		list = append(list, fmt.Sprintf("the unloadable languages are %q, not %q", m.Unloadable, g.Unloadable))
	}
	return list
}

// sameMiner compares two miners. An empty Token means a valid one
// (docs/rules/scoring.md#miners).
func sameMiner(a, b input.Miner) bool {
	a.Token, b.Token = cmp.Or(a.Token, input.TokenValid), cmp.Or(b.Token, input.TokenValid)
	return a == b
}

// sameJSON compares two JSON texts without white space, which a manifest does not keep.
func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	if json.Compact(&x, a) != nil || json.Compact(&y, b) != nil {
		return false
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}
