package mirrorsim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Counter is the limit's decision, for tests of it alone.
type Counter = counter

// NewCounter makes a counter with given phases.
func NewCounter(limit int, window, mitigation, fixedPhase, estimatePhase time.Duration) *Counter {
	return newCounter(limit, window, mitigation, fixedPhase, estimatePhase)
}

// Admit is the decision: whether it was refused, until when, and by what.
func (c *counter) Admit(now time.Duration) (refused bool, retry time.Duration, by string) {
	v := c.admit(now)
	return v.refused, v.retry, v.by
}

// Draw is one draw of a latency.
func (l Latency) Draw(rng *rand.Rand) time.Duration { return l.draw(rng) }

// Page pages through n items as the query asks, and returns the numbers of
// the items of the page.
func Page(query url.Values, n int, list string) (numbers []int, next string, err error) {
	items := make([]item, n)
	for i := range items {
		items[i].number = i
	}
	asked, err := parsePaging(query)
	if err != nil {
		return nil, "", err
	}
	page, next, err := asked.page(items, list)
	for _, it := range page {
		numbers = append(numbers, it.number)
	}
	return numbers, next, err
}

// Traits and Extras count what the demo world must hold a case of.
var (
	Traits = len(traits)
	Extras = len(extras)
)

// SourceLanguages are the languages of the demo's repositories.
func SourceLanguages() []string {
	var all []string
	for _, repo := range demoRepos {
		all = append(all, repo.languages...)
	}
	return all
}

// Blocks are a language's header and blocks.
func Blocks(language string) (header string, bodies []string) {
	b := loadBlocks(language)
	return b.header, b.bodies
}

// Dump is everything that a world of answers in memory holds, in one text.
func Dump(w *World) string {
	var all strings.Builder
	for _, lists := range []map[string][]item{w.pulls, w.issues, w.openIssues} {
		for _, id := range slices.Sorted(maps.Keys(lists)) {
			for _, it := range lists[id] {
				fmt.Fprintf(&all, "%s %s %s\n", id, it.instant, it.raw)
			}
		}
	}
	files, _ := w.files.(fileMap)
	for _, key := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&all, "%s %s\n", key, files[key])
	}
	fmt.Fprintf(&all, "%v %s %v %v", w.Miners, w.Registry, w.Fails, w.AsOf)
	return all.String()
}
