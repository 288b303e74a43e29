package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Field is one entry of a JSON object, in file order.
type Field struct {
	Key   string
	Value json.RawMessage
}

// Object reads a JSON object. It refuses a repeated key and anything after the
// object's end. what describes the keys in the error about a value that is no object.
func Object(data []byte, what string) ([]Field, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, fmt.Errorf("%s: want a JSON object whose keys are %s", Discreet(data), what)
	}
	var fields []Field
	seen := make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		f := Field{Key: token.(string)} //nolint:forcetypeassert // a key of an object is a string, or Token fails
		if seen[f.Key] {
			return nil, fmt.Errorf("key %q is repeated: want it once", f.Key)
		}
		seen[f.Key] = true
		if err := d.Decode(&f.Value); err != nil {
			return nil, fmt.Errorf("not JSON after key %q: %w", f.Key, err)
		}
		fields = append(fields, f)
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more text after the object's end")
	}
	return fields, nil
}

// Clip shortens a value for an error.
func Clip(raw []byte) string {
	const maxBytes = 60
	if len(raw) <= maxBytes {
		return string(raw)
	}
	return string(raw[:maxBytes]) + "…"
}

// Discreet is a value as an error shows it. A long one is not shown at all: an
// operator who misunderstands a field may have put an access token into it.
func Discreet(value json.RawMessage) string {
	const longest = 24 // bytes: valid values are shorter, tokens are longer
	if len(value) > longest {
		return fmt.Sprintf("a value of %d bytes", len(value))
	}
	return Clip(value)
}

// IsNull says whether a value is null. Unmarshal leaves its target unchanged for null
// and returns no error.
func IsNull(raw json.RawMessage) bool { return string(raw) == "null" }
