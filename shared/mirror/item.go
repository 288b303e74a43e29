package mirror

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// item is one JSON object whose fields are read as the validator reads them:
// what it would stumble over is an error, what it would let pass passes. The
// values are parts of the answer.
type item map[string]json.RawMessage

// What an item is called is no longer than this: GitHub's names of repositories have
// 140 characters at most, and a number has fewer than 20.
const maxName, maxNumber = 200, 20

// name is what the index-th item is called in a report, as far as it can be told.
func (it item) name(index int, number string) string {
	repository := printable(strings.ToLower(it.text("repo_full_name")), maxName-maxNumber-len("#"))
	n, err := it.id(number)
	if err != nil || n == "None" {
		n = ""
	}
	if n = printable(n, maxNumber); repository == "" && n == "" {
		return fmt.Sprintf("item %d", index)
	}
	return strings.Trim(repository+"#"+n, "#")
}

func (it item) has(field string) bool { _, ok := it[field]; return ok }

// present is a field's value, nil when it is absent or null.
func (it item) present(field string) json.RawMessage {
	if raw := it[field]; string(raw) != "null" {
		return raw
	}
	return nil
}

// isText says whether a field is a text.
func (it item) isText(field string) bool {
	raw := it[field]
	return len(raw) > 0 && raw[0] == '"'
}

// truthy is Python's truth of a field; absent is false.
func (it item) truthy(field string) bool {
	raw := it.present(field)
	if len(raw) == 0 {
		return false
	}
	switch raw[0] {
	case '"':
		return len(raw) > len(`""`)
	case '[', '{':
		return len(bytes.TrimSpace(raw[1:len(raw)-1])) > 0
	case 't':
		return true
	case 'f':
		return false
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	return f != 0 || err != nil // what overflows is not zero
}

// text is a field's text; "" if it is absent, null or of another type.
func (it item) text(field string) string {
	if !it.isText(field) {
		return ""
	}
	return unquote(it[field])
}

// optionalText is a text that may be absent or null: nil. What Python takes for
// false is an empty one.
func (it item) optionalText(field string) *string {
	if it.truthy(field) && !it.isText(field) || it.present(field) == nil {
		return nil
	}
	s := it.text(field)
	return &s
}

// there is a text whose field must be there, but may be null or no text: then
// it is "", which no rule takes for anything.
func (it item) there(field string) (string, error) {
	if !it.has(field) {
		return "", it.wrong(field, "a text")
	}
	return it.text(field), nil
}

// wanted is a text that must be one.
func (it item) wanted(field string) (string, error) {
	if !it.isText(field) {
		return "", it.wrong(field, "a text")
	}
	return it.text(field), nil
}

// lowered is a repository's name, which must be there.
func (it item) lowered(field string) (string, error) {
	s, err := it.wanted(field)
	return strings.ToLower(s), err
}

// repository is a repository's name; what Python takes for false is "", and
// anything else but a text cannot be lower-cased.
func (it item) repository(field string) (string, error) {
	if !it.truthy(field) {
		return "", nil
	}
	return it.lowered(field)
}

// id is an id as text, whether it came as text or number, of any size; null is
// "None" and true "True", as the validator's conversion has it. An absent one is an error.
func (it item) id(field string) (string, error) {
	raw, ok := it[field]
	switch {
	case !ok:
		return "", it.wrong(field, "an id")
	case string(raw) == "null":
		return "None", nil
	case string(raw) == "true":
		return "True", nil
	case string(raw) == "false":
		return "False", nil
	case raw[0] == '"':
		return unquote(raw), nil
	}
	// What is neither equals no id; it need not be kept whole.
	const maxBytes = 256
	return string(raw[:min(len(raw), maxBytes)]), nil
}

// optionalID is an id that may be absent or null: "".
func (it item) optionalID(field string) string {
	if len(it.present(field)) == 0 {
		return ""
	}
	id, _ := it.id(field) // it is there
	return id
}

// author is an id that may be absent or null: nil. An empty one is there.
func (it item) author(field string) *string {
	if it.present(field) == nil {
		return nil
	}
	id := it.optionalID(field)
	return &id
}

// number is a whole number that must be there, as number or as text.
func (it item) number(field string) (int, error) {
	id, err := it.id(field)
	if err != nil {
		return 0, it.wrong(field, "a number")
	}
	n, exact := whole(id)
	if !exact && !it.isText(field) { // 7.0 and 7e0 are 7
		f, err := strconv.ParseFloat(id, 64)
		n, exact = int(f), err == nil && f == math.Trunc(f) && math.Abs(f) <= math.MaxInt32
	}
	if !exact {
		return 0, it.wrong(field, "a whole number")
	}
	return n, nil
}

// otherwise is a number that may be missing; anything but a number is the
// given value.
func (it item) otherwise(field string, value int) int {
	if n, err := it.number(field); err == nil {
		return n
	}
	return value
}

// size is a number of bytes; nil for anything else. No rule of the validator's
// reads it, so nothing about it is an error.
func (it item) size(field string) *int {
	n, err := it.number(field)
	if err != nil || n < 0 {
		return nil
	}
	return &n
}

// requested is a count that a rate is multiplied with, a fraction cut off. What
// cannot be multiplied, texts included, leaves the validator without that
// multiplier: 0.
func (it item) requested(field string) int {
	if it.isText(field) {
		return 0
	}
	n, _ := it.count(field) // 0 with every error
	return n
}

// approvals is a count that is compared with 0 alone: what is there and is no
// number is not 0, as in Python.
func (it item) approvals(field string) int {
	raw, ok := it[field]
	switch {
	case !ok || raw[0] == 'f':
		return 0
	case raw[0] == 'n' || raw[0] == '"' || raw[0] == '[' || raw[0] == '{':
		return -1
	case raw[0] == 't':
		return 1
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if n := clamped(f); n != 0 || f == 0 && err == nil {
		return n
	}
	return 1 // a fraction
}

// solver is the number of the pull request that solved an issue; nil for none.
// What is no number names a pull request that is none: 0 when Python takes it
// for false, else -1.
func (it item) solver(field string) *int {
	if len(it.present(field)) == 0 {
		return nil
	}
	nobody := 0
	if it.truthy(field) {
		nobody = -1
	}
	n := it.otherwise(field, nobody)
	return &n
}

// solvingNumber is the number of a solving pull request, which must be there.
// What is no number is -1: its issue counts, and nothing can be had of it.
func (it item) solvingNumber(field string) (int, error) {
	if _, err := it.id(field); err != nil {
		return 0, it.wrong(field, "a number")
	}
	return it.otherwise(field, -1), nil
}

// count is Python's int() of a field: absent is 0, a fraction is cut off, a
// text must be a whole number, and null is an error. What is beyond 32 bits
// stays at their end: no rule tells such numbers apart.
func (it item) count(field string) (int, error) {
	raw, ok := it[field]
	if !ok {
		return 0, nil
	}
	switch raw[0] {
	case '"':
		n, exact := whole(unquote(raw))
		if !exact && n == 0 {
			return 0, it.wrong(field, "a whole number")
		}
		return clamped(float64(n)), nil
	case 't':
		return 1, nil
	case 'f':
		return 0, nil
	case 'n', '[', '{':
		return 0, it.wrong(field, "a number")
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil && bytes.ContainsAny(raw, ".eE") { // Python makes it infinite, which is no int
		return 0, it.wrong(field, "a finite number")
	}
	return clamped(f), nil
}

func clamped(f float64) int { return int(max(-math.MaxInt32, min(math.MaxInt32, f))) }

// whole reads a whole number as Python's int() does: white space around it, a
// sign, and single underscores between digits (but ASCII digits only). Beyond
// 64 bits it is the nearest number that fits, and not exact.
func whole(s string) (n int, exact bool) {
	s = strings.TrimSpace(s)
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	groups := strings.Split(s, "_")
	if slices.ContainsFunc(groups, func(g string) bool { _, ok := digits(g, len(g)); return !ok }) {
		return 0, false
	}
	value, err := strconv.ParseInt(sign+strings.Join(groups, ""), 10, 64)
	return int(value), err == nil
}

// instant is an instant; absent and what Python takes for false is the zero
// time, and anything else must be a date.
func (it item) instant(field string) (time.Time, error) {
	if !it.truthy(field) {
		return time.Time{}, nil
	}
	t, err := parseInstant(it.text(field))
	if err != nil {
		return time.Time{}, it.wrong(field, "a date")
	}
	return t, nil
}

// list is a list; absent and what Python takes for false is an empty one.
func (it item) list(field string) ([]byte, error) {
	if !it.truthy(field) {
		return []byte("[]"), nil
	}
	if raw := it[field]; raw[0] == '[' {
		return raw, nil
	}
	return nil, it.wrong(field, "a list")
}

// inner is an object; absent and what Python takes for false is an empty one.
func (it item) inner(field string) (item, error) {
	if !it.truthy(field) {
		return item{}, nil
	}
	inner, err := object(it[field])
	if err != nil {
		return nil, it.wrong(field, "an object")
	}
	return inner, nil
}

func (it item) wrong(field, want string) error {
	raw, ok := it[field]
	if !ok {
		return fmt.Errorf("%s is missing, want %s", field, want)
	}
	return fmt.Errorf("%s is %s, want %s", field, preview(raw[:min(len(raw), 60)]), want)
}
