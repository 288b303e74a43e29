package mirror

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strings"
)

// An answer is checked as a whole once; after that its parts are found by
// walking over it, without copies: what is never looked at (who approved a pull
// request) costs no memory, and the texts of a large files answer exist twice,
// in the answer and in its decoded form, and no third time.

// document reads the answer's top object.
func document(data []byte) (item, error) {
	// Valid also bounds the depth of nesting, at 10,000.
	if !json.Valid(data) {
		return nil, errors.New("not JSON")
	}
	return object(bytes.TrimSpace(data))
}

// object reads an object of a checked document.
func object(raw []byte) (item, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, errors.New("not an object")
	}
	it := make(item)
	for key, value := range members(raw) {
		// Only what some decoder asks for is kept, so that an object of a million
		// keys costs nothing. Of two equal keys the last one counts.
		if name := keyText(key); known(name) {
			it[string(name)] = value
		}
	}
	return it, nil
}

// keyText is a key without its quotes and escapes.
func keyText(key []byte) []byte {
	if bytes.IndexByte(key, '\\') < 0 {
		return key[1 : len(key)-1]
	}
	return []byte(unquote(key))
}

// known says whether a decoder reads the field.
func known(name []byte) bool {
	switch string(name) {
	case "github_id", "since", "generated_at", "pull_requests", "issues", "next_cursor", "files", "maintainers",
		"repo_full_name", "pr_number", "issue_number", "number", "title", "body", "state", "state_reason",
		"author_github_id", "author_login", "author_association", "actor_github_id", "actor_association",
		"created_at", "closed_at", "merged_at", "updated_at", "last_edited_at", "edited_after_merge", "merged_by_login",
		"base_ref", "head_ref", "head_repo_full_name", "default_branch", "head_sha", "base_sha", "merge_base_sha",
		"additions", "deletions", "changes", "commits_count", "scoring_data_stored",
		"review_summary", "maintainer_changes_requested_count", "approved_count", "labels", "name", "linked_issues",
		"is_transferred", "solved_by_pr", "solving_pr",
		"filename", "previous_filename", "status", "is_binary", "byte_size", "head_content", "base_content",
		"login", "association":
		return true
	}
	return false
}

// members walks over the keys (with their quotes) and values of an object.
func members(raw []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for i := skip(raw, 1); raw[i] != '}'; {
			key := raw[i:endOfText(raw, i)]
			i = skip(raw, skip(raw, i+len(key))+1) // over the colon
			value := raw[i:endOf(raw, i)]
			if !yield(key, value) {
				return
			}
			i = next(raw, i+len(value))
		}
	}
}

// elements walks over a list.
func elements(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := skip(raw, 1); raw[i] != ']'; {
			value := raw[i:endOf(raw, i)]
			if !yield(value) {
				return
			}
			i = next(raw, i+len(value))
		}
	}
}

// skip is the first position from i on that is not white space.
func skip(raw []byte, i int) int {
	for raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\t' || raw[i] == '\r' {
		i++
	}
	return i
}

// next is where the next member begins, or the bracket that closes.
func next(raw []byte, i int) int {
	if i = skip(raw, i); raw[i] == ',' {
		return skip(raw, i+1)
	}
	return i
}

// endOf is the position after the value that begins at i.
func endOf(raw []byte, i int) int {
	switch raw[i] {
	case '"':
		return endOfText(raw, i)
	case '{', '[':
		return endOfNested(raw, i)
	}
	for i < len(raw) && strings.IndexByte(",]} \n\t\r", raw[i]) < 0 {
		i++
	}
	return i
}

func endOfNested(raw []byte, i int) int {
	for depth := 0; ; {
		switch raw[i] {
		case '"':
			i = endOfText(raw, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
}

// endOfText is the position after the quote that ends the text at i: the first
// one with an even number of backslashes before it.
func endOfText(raw []byte, i int) int {
	for i++; ; i++ {
		i += bytes.IndexByte(raw[i:], '"')
		escapes := 0
		for raw[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
}
