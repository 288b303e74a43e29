package mirror

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// An answer can have tens of MB, nearly all of it the texts of files. It is
// checked once, whole, with encoding/json; what follows takes it apart without
// checking or copying it again. Given other than valid JSON these functions
// return nonsense, but stay within the slice.

// whole reads a whole answer: one JSON object and nothing else.
func whole(data []byte) (item, error) {
	if !json.Valid(data) {
		err := json.Unmarshal(data, new(json.RawMessage)) // for the place of the fault
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return object(data)
}

// object takes a valid JSON object apart. Of two members of one name the last
// one holds.
func object(raw []byte) (item, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' {
		return nil, errors.New("not an object")
	}
	it := item{}
	for i := next(raw, 1); i < len(raw) && raw[i] == '"'; {
		nameEnd := stringEnd(raw, i)
		name := unquote(raw[i:nameEnd])
		start := next(raw, nameEnd)
		end := valueEnd(raw, start)
		it[name] = raw[start:end]
		i = next(raw, end)
	}
	return it, nil
}

// elements takes a valid JSON list apart.
func elements(raw []byte) ([]json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '[' {
		return nil, errors.New("not a list")
	}
	var list []json.RawMessage
	for i := next(raw, 1); i < len(raw) && raw[i] != ']'; {
		end := valueEnd(raw, i)
		list = append(list, raw[i:end])
		i = next(raw, end)
	}
	return list, nil
}

// next is the place of the next value or bracket, past blanks and separators.
func next(raw []byte, i int) int {
	for i < len(raw) {
		switch raw[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
			i++
		default:
			return i
		}
	}
	return i
}

// valueEnd is the place behind the value that begins at i. It counts brackets
// instead of calling itself, so that depth costs nothing.
func valueEnd(raw []byte, i int) int {
	for depth := 0; i < len(raw); {
		switch raw[i] {
		case '"':
			i = stringEnd(raw, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ' ', '\t', '\r', '\n', ',', ':':
			i++
			continue // only ever inside brackets
		default:
			i = literalEnd(raw, i)
		}
		if depth <= 0 {
			return i
		}
	}
	return len(raw)
}

// literalEnd is the place behind a number, true, false or null.
func literalEnd(raw []byte, i int) int {
	for i < len(raw) {
		switch raw[i] {
		case ' ', '\t', '\r', '\n', ',', ':', '}', ']':
			return i
		}
		i++
	}
	return i
}

// stringEnd is the place behind the string whose opening quote is at i.
func stringEnd(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// unquote is the text of a valid JSON string. Its memory is its own: a text
// that is kept does not keep the answer.
func unquote(raw []byte) string {
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var s string
	_ = json.Unmarshal(raw, &s) // cannot fail: the whole answer was valid
	return s
}
