package mirror

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// item is one JSON object whose fields are read as the validator reads them:
// what it would stumble over is an error, what it would let pass passes.
type item map[string]json.RawMessage

// object reads a JSON object.
func object(data []byte) (item, error) {
	var it item
	if err := json.Unmarshal(data, &it); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		return nil, errors.New("not an object")
	}
	if it == nil {
		return nil, errors.New("null, want an object")
	}
	return it, nil
}

// name is what the item is called in a report, as far as it can be told.
func (it item) name(index int, number string) string {
	repository, repoErr := it.text("repo_full_name")
	n, numErr := it.text(number)
	if numErr != nil || n == "" {
		if id, err := it.id(number); err == nil {
			n = id
		}
	}
	if repoErr != nil || repository == "" && n == "" {
		return fmt.Sprintf("item %d", index+1)
	}
	return strings.TrimSuffix(fmt.Sprintf("%.200s#%.40s", strings.ToLower(repository), n), "#")
}

func (it item) has(field string) bool { _, ok := it[field]; return ok }

// present is a field's value, nil when it is absent or null.
func (it item) present(field string) json.RawMessage {
	if raw := it[field]; !bytes.Equal(raw, []byte("null")) {
		return raw
	}
	return nil
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

// text is a text field; absent, null and other types are "".
func (it item) text(field string) (string, error) {
	raw := it.present(field)
	if len(raw) == 0 || raw[0] != '"' {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fmt.Errorf("%s: %w", field, err)
	}
	return s, nil
}

// wanted is a text that must be there.
func (it item) wanted(field string) (string, error) {
	raw := it.present(field)
	if len(raw) == 0 || raw[0] != '"' {
		return "", it.wrong(field, "a text")
	}
	return it.text(field)
}

// repository is a repository's name, lower-cased; absent or empty is "", and
// anything but a text cannot be lower-cased.
func (it item) repository(field string) (string, error) {
	if !it.truthy(field) {
		return "", nil
	}
	s, err := it.wanted(field)
	return strings.ToLower(s), err
}

// id is an id as text, whether it came as text or number; null is "None", as
// the validator's conversion has it. An absent one is an error.
func (it item) id(field string) (string, error) {
	raw, ok := it[field]
	switch {
	case !ok:
		return "", it.wrong(field, "an id")
	case bytes.Equal(raw, []byte("null")):
		return "None", nil
	case raw[0] == '"':
		return it.text(field)
	}
	return string(raw), nil
}

// optionalID is an id that may be absent or null: "".
func (it item) optionalID(field string) (string, error) {
	if len(it.present(field)) == 0 {
		return "", nil
	}
	return it.id(field)
}

// number is a whole number that must be there, as number or as text.
func (it item) number(field string) (int, error) {
	id, err := it.id(field)
	if err != nil {
		return 0, it.wrong(field, "a number")
	}
	n, err := strconv.Atoi(strings.TrimSpace(id))
	if err != nil {
		return 0, it.wrong(field, "a whole number")
	}
	return n, nil
}

// optionalNumber is a whole number that may be absent or null: nil.
func (it item) optionalNumber(field string) (*int, error) {
	if len(it.present(field)) == 0 {
		return nil, nil //nolint:nilnil // nil is the absent number
	}
	n, err := it.number(field)
	return &n, err
}

// count is Python's int() of a field: absent is 0, a fraction is cut off, a
// text must be a whole number, and null is an error.
func (it item) count(field string) (int, error) {
	raw, ok := it[field]
	if !ok {
		return 0, nil
	}
	switch raw[0] {
	case '"':
		return it.number(field)
	case 't':
		return 1, nil
	case 'f':
		return 0, nil
	case 'n', '[', '{':
		return 0, it.wrong(field, "a number")
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.Abs(f) > math.MaxInt32 {
		return 0, it.wrong(field, "a number within 32 bits")
	}
	return int(f), nil
}

// instant is an instant; absent and what Python takes for false is the zero
// time, and anything else must be a date.
func (it item) instant(field string) (time.Time, error) {
	if !it.truthy(field) {
		return time.Time{}, nil
	}
	s, err := it.wanted(field)
	if err != nil {
		return time.Time{}, it.wrong(field, "a date")
	}
	t, err := parseInstant(s)
	if err != nil {
		return time.Time{}, it.wrong(field, "a date")
	}
	return t, nil
}

// list is a list; absent and what Python takes for false is none.
func (it item) list(field string) ([]json.RawMessage, error) {
	if !it.truthy(field) {
		return nil, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(it[field], &list); err != nil {
		return nil, it.wrong(field, "a list")
	}
	return list, nil
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

// layouts are the forms of a date that the validator's parser takes; Go's
// parser allows a fraction of a second in each.
var layouts = [...]string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05-0700", "2006-01-02T15:04:05Z07",
	"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02",
	"20060102T150405Z0700", "20060102T150405Z07:00", "20060102T150405", "20060102",
}

// parseInstant reads a date as UTC, to the microsecond, as the validator does;
// one without an offset is UTC.
func parseInstant(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Truncate(time.Microsecond), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date", s)
}
