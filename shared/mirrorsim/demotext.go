package mirrorsim

import (
	"embed"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// sourceTexts are the blocks that the demo's sources are put together from:
// a file a language, its header first, blocks between lines of dashes. Thing,
// thing, phrase and 7001 stand for what a copy of a block makes its own.
//
//go:embed sources/*.txt
var sourceTexts embed.FS

// blocks are one language's header and blocks.
type blocks struct {
	header string
	bodies []string
	footer string
}

// footers close what a language's header opens.
//
//nolint:gochecknoglobals // a table
var footers = map[string]string{"json": "  \"end\": true\n}\n"}

// loadBlocks reads a language's blocks; they are part of the binary, and a
// test goes through them all.
func loadBlocks(language string) blocks {
	data, err := sourceTexts.ReadFile("sources/" + language + ".txt")
	if err != nil {
		return blocks{bodies: []string{"Thing thing phrase 7001\n"}}
	}
	parts := strings.Split(string(data), "----\n")
	return blocks{header: parts[0], bodies: parts[1:], footer: footers[language]}
}

// The words that copies of blocks are named with.
//
//nolint:gochecknoglobals // tables
var (
	nouns = strings.Fields("anchor beacon cargo davit ensign fender gangway hawser inlet jetty " +
		"keel lantern mooring nettle oar pilot quay rudder spar tiller")
	phrases = strings.Fields("amber brisk calm distant early faint gentle hollow idle jagged " +
		"keen level mild narrow open plain quiet ready steady tidal")
)

// passage is one copy of a block.
type passage struct {
	block  int
	noun   string
	phrase string
	number int
}

// draft is a source text that can be edited as people edit: a passage at a
// time.
type draft struct {
	blocks   blocks
	passages []passage
}

// newDraft writes n passages, going through the language's blocks in turn.
func newDraft(rng *rand.Rand, language string, n int) draft {
	d := draft{blocks: loadBlocks(language)}
	for range n {
		d.passages = append(d.passages, d.compose(rng, len(d.passages)))
	}
	return d
}

// compose is a new passage of a block, with words and a number of its own.
func (d draft) compose(rng *rand.Rand, block int) passage {
	return passage{
		block: block % len(d.blocks.bodies), noun: nouns[rng.IntN(len(nouns))],
		phrase: phrases[rng.IntN(len(phrases))], number: 2 + rng.IntN(98),
	}
}

// edited is the draft after some changed, some added and perhaps one removed
// passages.
func (d draft) edited(rng *rand.Rand, changed, added int) draft {
	after := draft{blocks: d.blocks, passages: slices.Clone(d.passages)}
	for range changed {
		p := &after.passages[rng.IntN(len(after.passages))]
		p.number++
		p.phrase = phrases[rng.IntN(len(phrases))]
	}
	if len(after.passages) > 3 && rng.IntN(3) == 0 {
		at := rng.IntN(len(after.passages))
		after.passages = slices.Delete(after.passages, at, at+1)
	}
	for range added {
		after.passages = append(after.passages, d.compose(rng, rng.IntN(len(d.blocks.bodies))))
	}
	return after
}

// String is the text.
func (d draft) String() string {
	var text strings.Builder
	text.WriteString(d.blocks.header)
	for _, p := range d.passages {
		own := strings.NewReplacer("Thing", strings.ToUpper(p.noun[:1])+p.noun[1:], "thing", p.noun,
			"phrase", p.phrase, "7001", fmt.Sprint(p.number))
		text.WriteString("\n" + own.Replace(d.blocks.bodies[p.block]))
	}
	text.WriteString(d.blocks.footer)
	return text.String()
}

// lineCounts are the lines that only one side has, copies counted: near
// enough to what a diff says.
func lineCounts(base, head string) (additions, deletions int) {
	count := map[string]int{}
	for line := range strings.Lines(base) {
		count[line]++
	}
	for line := range strings.Lines(head) {
		if count[line]--; count[line] < 0 {
			additions++
		}
	}
	for _, left := range count {
		deletions += max(0, left)
	}
	return additions, deletions
}
