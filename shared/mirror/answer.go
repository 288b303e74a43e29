package mirror

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"strings"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
)

// Answer is a list, with what could not be read of it.
type Answer[T any] struct {
	Items []T
	// Malformed are the items that were skipped. Of very many (1,000 of an answer)
	// an entry says only how many more there are, and so does one of what a page
	// has beyond the items that were asked for.
	Malformed []job.Malformed
}

const (
	// maxMalformed bounds what an answer of nothing but rubbish costs.
	maxMalformed = 1000
	// unbounded is for lists whose length nobody asks for.
	unbounded = math.MaxInt
)

// decodeEach decodes a list item by item, no more of them than were asked for; what
// cannot be read costs only itself. name says what an item is called.
func decodeEach[T any](list []byte, asked int, name func(item, int) string, decode func(item) (T, error)) Answer[T] {
	var answer Answer[T]
	var skipped skipped
	index := 0
	for raw := range elements(list) {
		if index++; index > asked {
			continue
		}
		it, err := object(raw)
		var value T
		if err == nil {
			value, err = decode(it)
		}
		if err != nil {
			skipped.add(func() string { return name(it, index) }, err)
			continue
		}
		answer.Items = append(answer.Items, value)
	}
	answer.Malformed = skipped.list()
	if index > asked {
		answer.Malformed = append(answer.Malformed, job.Malformed{
			Item: fmt.Sprintf("surplus items: %d", index-asked), Error: fmt.Sprintf("the page has %d items, and %d were asked for", index, asked),
		})
	}
	return answer
}

// skipped counts items that cannot be read, and keeps the first ones.
type skipped struct {
	count int
	kept  []job.Malformed
}

func (s *skipped) add(name func() string, err error) {
	if s.count++; len(s.kept) < maxMalformed {
		s.kept = append(s.kept, job.Malformed{Item: name(), Error: err.Error()})
	}
}

// list is those that are kept, and an entry that counts the others.
func (s *skipped) list() []job.Malformed {
	if more := s.count - len(s.kept); more > 0 {
		return append(s.kept, job.Malformed{Item: fmt.Sprintf("%d more items", more), Error: "skipped as well"})
	}
	return s.kept
}

// page is one page of a list.
type page[T any] struct {
	Answer[T]

	next string
}

func decodePage[T any](data []byte, l list[T]) (page[T], error) {
	var p page[T]
	top, err := document(data)
	if err != nil {
		return p, err
	}
	r := &reader{}
	check(r, top.id, "github_id")
	check(r, top.instant, "since", "generated_at")
	items := take(r, top.list, l.field)
	if r.err == nil && top.truthy("next_cursor") {
		// A cursor that cannot be read must not pass for the last page.
		p.next = take(r, top.wanted, "next_cursor")
	}
	if r.err != nil {
		return p, r.err
	}
	p.Answer = decodeEach(items, pageSize, func(it item, i int) string { return it.name(i, l.number) }, l.decode)
	return p, nil
}

// errOther says that an answer is of something else than was asked for.
var errOther = errors.New("the answer is of something else")

// isOf checks that an answer is of the repository that was asked for.
func (it item) isOf(r *reader, repository string) {
	if got := take(r, it.lowered, "repo_full_name"); r.err == nil && got != strings.ToLower(repository) {
		r.err = fmt.Errorf("%w: repo_full_name is %.200q, want %q", errOther, got, repository)
	}
}

func decodeFiles(data []byte, repository string, number int) (Files, error) {
	top, err := document(data)
	if err != nil {
		return Files{}, err
	}
	r := &reader{}
	top.isOf(r, repository)
	got := take(r, top.count, "pr_number")
	switch {
	case r.err != nil:
	case !top.has("pr_number"):
		r.err = errors.New("pr_number is missing")
	case got != number:
		r.err = fmt.Errorf("%w: pr_number is %d, want %d", errOther, got, number)
	}
	items := take(r, top.list, "files")
	if r.err != nil {
		return Files{}, r.err
	}
	answer := decodeEach(items, unbounded, fileName, decodeFile)
	return Files{
		HeadSHA:      top.text("head_sha"),
		BaseSHA:      top.text("base_sha"),
		MergeBaseSHA: top.text("merge_base_sha"),
		Stored:       top.truthy("scoring_data_stored"),
		Digest:       fmt.Sprintf("%x", sha256.Sum256(data)),
		Files:        answer.Items,
		Malformed:    answer.Malformed,
	}, nil
}

func fileName(it item, index int) string {
	if name := printable(it.text("filename"), maxName); name != "" {
		return name
	}
	return fmt.Sprintf("file %d", index)
}

func decodeMaintainers(data []byte, repository string) (Answer[scoring.Maintainer], error) {
	top, err := document(data)
	if err != nil {
		return Answer[scoring.Maintainer]{}, err
	}
	r := &reader{}
	top.isOf(r, repository)
	check(r, top.instant, "generated_at")
	items := take(r, top.list, "maintainers")
	if r.err != nil {
		return Answer[scoring.Maintainer]{}, r.err
	}
	return decodeEach(items, unbounded, func(it item, i int) string { return it.name(i, "github_id") }, decodeMaintainer), nil
}
