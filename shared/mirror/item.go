package mirror

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// item is one JSON object whose fields are read as the validator reads them:
// what it would stumble over is an error, what it would let pass passes. The
// values are parts of the answer: an item is not kept.
type item map[string]json.RawMessage

// name is what the item is called in a report, as far as it can be told.
func (it item) name(index int, number string) string {
	repository, _ := it.text("repo_full_name")
	n := ""
	if len(it.present(number)) > 0 {
		n, _ = it.id(number)
	}
	switch {
	case repository == "" && n == "":
		return fmt.Sprintf("item %d", index+1)
	case n == "":
		return fmt.Sprintf("%.200s", strings.ToLower(repository))
	case repository == "":
		return fmt.Sprintf("%.40s", n)
	}
	return fmt.Sprintf("%.200s#%.40s", strings.ToLower(repository), n)
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
		return next(raw, 1) < len(raw)-1 // anything before the closing bracket
	case 't':
		return true
	case 'f':
		return false
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	return f != 0 || err != nil // what overflows is not zero
}

func isText(raw json.RawMessage) bool { return len(raw) > 1 && raw[0] == '"' }

// text is a text field; absent, null and other types are "".
func (it item) text(field string) (string, error) {
	if raw := it[field]; isText(raw) {
		return unquote(raw), nil
	}
	return "", nil
}

// listed is a text field that must be there; null and other types are "", which
// no rule takes.
func (it item) listed(field string) (string, error) {
	if !it.has(field) {
		return "", it.wrong(field, "a text")
	}
	return it.text(field)
}

// wanted is a field that must be a text.
func (it item) wanted(field string) (string, error) {
	if !isText(it[field]) {
		return "", it.wrong(field, "a text")
	}
	return it.text(field)
}

// lowered is a repository's name that must be there.
func (it item) lowered(field string) (string, error) {
	s, err := it.wanted(field)
	return strings.ToLower(s), err
}

// repository is a repository's name, lower-cased; absent or empty is "", and
// anything but a text cannot be lower-cased.
func (it item) repository(field string) (string, error) {
	if !it.truthy(field) {
		return "", nil
	}
	return it.lowered(field)
}

// id is an id as text, whether it came as text or number; null is "None" and
// true is "True", as the validator's conversion has it. An absent one is an
// error.
func (it item) id(field string) (string, error) {
	raw, ok := it[field]
	if !ok || len(raw) == 0 {
		return "", it.wrong(field, "an id")
	}
	switch raw[0] {
	case '"':
		return it.text(field)
	case 'n':
		return "None", nil
	case 't':
		return "True", nil
	case 'f':
		return "False", nil
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

// number is the whole number that names an item, as number or as text. The
// validator would carry anything along and ask the mirror for it, in vain.
func (it item) number(field string) (int, error) {
	if raw := it.present(field); len(raw) > 0 {
		s := string(raw)
		if isText(raw) {
			s = unquote(raw)
		}
		if n, ok := wholeNumber(s); ok {
			return n, nil
		}
	}
	return 0, it.wrong(field, "a whole number")
}

// listedNumber is a number that must be there but may be anything: it names
// nothing that is asked for.
func (it item) listedNumber(field string) (int, error) {
	if !it.has(field) {
		return 0, it.wrong(field, "a whole number")
	}
	n, _ := it.number(field)
	return n, nil
}

// solver is the number of a pull request, nil when it is absent or null. What
// is no number names a pull request that is none: 0 when Python takes it for
// false, else -1.
func (it item) solver(field string) (*int, error) {
	if len(it.present(field)) == 0 {
		return nil, nil //nolint:nilnil // nil is the absent number
	}
	n, err := it.number(field)
	if err != nil && it.truthy(field) {
		n = -1
	}
	return &n, nil
}

// count is Python's int() of a field: absent is 0, a fraction is cut off, a
// text must be a whole number, and null is an error.
func (it item) count(field string) (int, error) {
	raw, ok := it[field]
	if !ok {
		return 0, nil
	}
	if isText(raw) {
		return it.number(field)
	}
	switch {
	case bytes.Equal(raw, []byte("true")):
		return 1, nil
	case bytes.Equal(raw, []byte("false")):
		return 0, nil
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return 0, it.wrong(field, "a number")
	}
	return int(max(-math.MaxInt32, min(math.MaxInt32, f))), nil
}

// wholeNumber reads a whole number as Python's int() reads a text: blanks
// around it, a sign, and single underscores between digits. What is beyond 32
// bits, which no count or number of GitHub's is, stays at that bound.
func wholeNumber(s string) (int, bool) {
	s = strings.TrimSpace(s)
	digits := strings.TrimPrefix(s, "-")
	sign := 1
	if digits != s {
		sign = -1
	} else {
		digits = strings.TrimPrefix(s, "+")
	}
	n, between := 0, false
	for _, r := range digits {
		switch {
		case r >= '0' && r <= '9':
			n, between = min(n*10+int(r-'0'), math.MaxInt32), true
		case r == '_' && between:
			between = false
		default:
			return 0, false
		}
	}
	return sign * n, between
}

// instant is an instant; absent and what Python takes for false is the zero
// time, and anything else must be a date.
func (it item) instant(field string) (time.Time, error) {
	if !it.truthy(field) {
		return time.Time{}, nil
	}
	s, err := it.wanted(field)
	if err == nil {
		var t time.Time
		if t, err = parseInstant(s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, it.wrong(field, "a date")
}

// list is a list; absent and what Python takes for false is none.
func (it item) list(field string) ([]json.RawMessage, error) {
	if !it.truthy(field) {
		return nil, nil
	}
	list, err := elements(it[field])
	if err != nil {
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
	const most = 60 // of the value, in an error
	raw, ok := it[field]
	if !ok {
		return fmt.Errorf("%s is missing, want %s", field, want)
	}
	return fmt.Errorf("%s is %s, want %s", field, preview(raw[:min(len(raw), most)]), want)
}
