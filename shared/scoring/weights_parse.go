package scoring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The two tables of the token weights file.
const (
	structuralKey = "structural_bonus"
	leafKey       = "leaf_tokens"
)

// maxWeight bounds a weight: three orders of magnitude over the largest in
// force, and far from where a sum could overflow.
const maxWeight = 1000

// WeightsError is a weights file that breaks a rule.
type WeightsError struct {
	File string // its name, as LanguagesFile or TokensFile
	Key  string // path of the entry; "" for the file as a whole
	Err  error
}

func (e *WeightsError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v", e.File, e.Key, e.Err)
}

func (e *WeightsError) Unwrap() error { return e.Err }

// ParseWeights reads the validator's two weights files. It is strict: unknown
// and repeated keys, languages without a grammar and weights outside [0, 1000]
// are refused with a *WeightsError, since a slip here moves every score.
func ParseWeights(languages, tokens []byte) (*Weights, error) {
	w := &Weights{}
	var err error
	if w.extensions, err = parseLanguages(languages); err != nil {
		return nil, err
	}
	if w.structural, w.leaf, err = parseTokens(tokens); err != nil {
		return nil, err
	}
	w.mostStructural, w.mostLeaf = largestOf(w.structural), largestOf(w.leaf)
	w.digest = digestOf(w)
	return w, nil
}

func parseLanguages(data []byte) (map[string]extension, error) {
	fields, err := object(data, "an extension")
	if err != nil {
		return nil, &WeightsError{File: LanguagesFile, Err: err}
	}
	extensions := make(map[string]extension, len(fields))
	for _, f := range fields {
		e, err := parseExtension(f)
		if err != nil {
			return nil, &WeightsError{File: LanguagesFile, Key: fmt.Sprintf("%q", f.key), Err: err}
		}
		extensions[f.key] = e
	}
	if len(extensions) == 0 {
		return nil, &WeightsError{File: LanguagesFile, Err: errors.New("no extension: want at least one")}
	}
	return extensions, nil
}

// parseExtension reads {"weight": n, "language": name} or a bare number. As in
// the validator, an absent weight is 1, and an absent or null language means
// that the extension has no tree.
func parseExtension(f field) (extension, error) {
	switch {
	case f.key == "" || strings.ContainsAny(f.key, "./\\") || pythonLower(f.key) != f.key:
		return extension{}, errors.New("want an extension in lower case, without a dot")
	case len(f.value) > 0 && f.value[0] != '{':
		weight, err := parseWeight(f.value)
		return extension{weight: weight}, err
	}
	fields, err := object(f.value, "weight or language")
	if err != nil {
		return extension{}, err
	}
	e := extension{weight: 1}
	for _, sub := range fields {
		switch sub.key {
		case "weight":
			if e.weight, err = parseWeight(sub.value); err != nil {
				return extension{}, fmt.Errorf("weight: %w", err)
			}
		case "language":
			if e.language, err = parseLanguage(sub.value); err != nil {
				return extension{}, fmt.Errorf("language: %w", err)
			}
		default:
			return extension{}, fmt.Errorf("unknown key %q: want weight or language", sub.key)
		}
	}
	return e, nil
}

func parseLanguage(raw json.RawMessage) (string, error) {
	if isNull(raw) {
		return "", nil
	}
	var name string
	if err := json.Unmarshal(raw, &name); err != nil {
		return "", fmt.Errorf("%s: want a language's name", clip(raw))
	}
	if !KnownLanguage(name) {
		return "", fmt.Errorf("%q: no such grammar, want one of %s", name, strings.Join(Languages(), " "))
	}
	return name, nil
}

func parseTokens(data []byte) (structural, leaf map[string]float64, err error) {
	fields, err := object(data, structuralKey+" or "+leafKey)
	if err != nil {
		return nil, nil, &WeightsError{File: TokensFile, Err: err}
	}
	for _, f := range fields {
		var into *map[string]float64
		switch f.key {
		case structuralKey:
			into = &structural
		case leafKey:
			into = &leaf
		default:
			err := fmt.Errorf("unknown key: want %s or %s", structuralKey, leafKey)
			return nil, nil, &WeightsError{File: TokensFile, Key: fmt.Sprintf("%q", f.key), Err: err}
		}
		if *into, err = parseTable(f); err != nil {
			return nil, nil, err
		}
	}
	for key, table := range map[string]map[string]float64{structuralKey: structural, leafKey: leaf} {
		if len(table) == 0 {
			return nil, nil, &WeightsError{File: TokensFile, Key: key, Err: errors.New("absent or empty: want node types and their weights")}
		}
	}
	return structural, leaf, nil
}

func parseTable(f field) (map[string]float64, error) {
	fields, err := object(f.value, "a node type")
	if err != nil {
		return nil, &WeightsError{File: TokensFile, Key: f.key, Err: err}
	}
	table := make(map[string]float64, len(fields))
	for _, sub := range fields {
		if table[sub.key], err = parseWeight(sub.value); err != nil {
			return nil, &WeightsError{File: TokensFile, Key: fmt.Sprintf("%s %q", f.key, sub.key), Err: err}
		}
	}
	return table, nil
}

func parseWeight(raw json.RawMessage) (float64, error) {
	var weight float64
	// Unmarshal leaves a number untouched for null, and would call it 0.
	if err := json.Unmarshal(raw, &weight); err != nil || isNull(raw) {
		return 0, fmt.Errorf("%s: want a number in [0, %d]", clip(raw), maxWeight)
	}
	if weight < 0 || weight > maxWeight {
		return 0, fmt.Errorf("%v: want a number in [0, %d]", weight, maxWeight)
	}
	return weight, nil
}

// field is one entry of a JSON object, in file order.
type field struct {
	key   string
	value json.RawMessage
}

// object reads a JSON object and refuses what encoding/json lets pass: a
// repeated key, and anything after the object's end.
func object(data []byte, what string) ([]field, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, fmt.Errorf("%s: want a JSON object whose keys are %s", discreet(data), what)
	}
	var fields []field
	seen := make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		f := field{key: token.(string)} //nolint:forcetypeassert // a key of an object is a string, or Token fails
		if seen[f.key] {
			return nil, fmt.Errorf("key %q stands twice: want it once", f.key)
		}
		seen[f.key] = true
		if err := d.Decode(&f.value); err != nil {
			return nil, fmt.Errorf("not JSON after key %q: %w", f.key, err)
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

// clip shortens a value for an error.
func clip(raw []byte) string {
	const most = 60
	if len(raw) <= most {
		return string(raw)
	}
	return string(raw[:most]) + "…"
}
