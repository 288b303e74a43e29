package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"mirrorfleet/shared/scoring/python"
	"mirrorfleet/shared/scoring/strictjson"
)

// The two tables of the token weights file.
const (
	structuralKey = "structural_bonus"
	leafKey       = "leaf_tokens"
)

// maxWeight bounds a weight. It is three orders of magnitude above the largest in
// use, and no sum of such weights can overflow.
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

// ParseWeights reads the validator's two weights files:
// docs/rules/scoring.md#weights. It is strict, because a slip here moves every score:
// unknown and repeated keys, languages without a grammar and weights outside
// [0, 1000] are refused with a *WeightsError.
func ParseWeights(languages, tokens []byte) (*Weights, error) {
	w := &Weights{}
	var err error
	if w.extensions, err = parseLanguages(languages); err != nil {
		return nil, err
	}
	if w.structural, w.leaf, err = parseTokens(tokens); err != nil {
		return nil, err
	}
	w.maxStructural, w.maxLeaf = largestOf(w.structural), largestOf(w.leaf)
	w.digest = digestOf(w)
	return w, nil
}

func parseLanguages(data []byte) (map[string]extension, error) {
	fields, err := strictjson.Object(data, "an extension")
	if err != nil {
		return nil, &WeightsError{File: LanguagesFile, Err: err}
	}
	extensions := make(map[string]extension, len(fields))
	for _, f := range fields {
		e, err := parseExtension(f)
		if err != nil {
			return nil, &WeightsError{File: LanguagesFile, Key: fmt.Sprintf("%q", f.Key), Err: err}
		}
		extensions[f.Key] = e
	}
	if len(extensions) == 0 {
		return nil, &WeightsError{File: LanguagesFile, Err: errors.New("no extension: want at least one")}
	}
	return extensions, nil
}

// parseExtension reads {"weight": n, "language": name} or a bare number. As in
// the validator, an absent weight is 1, and an absent or null language means
// that the extension has no tree.
func parseExtension(f strictjson.Field) (extension, error) {
	switch {
	case f.Key == "" || strings.ContainsAny(f.Key, "./\\") || python.Lower(f.Key) != f.Key:
		return extension{}, errors.New("want an extension in lower case, without a dot")
	case len(f.Value) > 0 && f.Value[0] != '{':
		weight, err := parseWeight(f.Value)
		return extension{weight: weight}, err
	}
	fields, err := strictjson.Object(f.Value, "weight or language")
	if err != nil {
		return extension{}, err
	}
	e := extension{weight: 1}
	for _, sub := range fields {
		switch sub.Key {
		case "weight":
			if e.weight, err = parseWeight(sub.Value); err != nil {
				return extension{}, fmt.Errorf("weight: %w", err)
			}
		case "language":
			if e.language, err = parseLanguage(sub.Value); err != nil {
				return extension{}, fmt.Errorf("language: %w", err)
			}
		default:
			return extension{}, fmt.Errorf("unknown key %q: want weight or language", sub.Key)
		}
	}
	return e, nil
}

func parseLanguage(raw json.RawMessage) (string, error) {
	if strictjson.IsNull(raw) {
		return "", nil
	}
	var name string
	if err := json.Unmarshal(raw, &name); err != nil {
		return "", fmt.Errorf("%s: want a language's name", strictjson.Clip(raw))
	}
	if !KnownLanguage(name) {
		return "", fmt.Errorf("%q: no such grammar, want one of %s", name, strings.Join(Languages(), " "))
	}
	return name, nil
}

func parseTokens(data []byte) (structural, leaf map[string]float64, err error) {
	fields, err := strictjson.Object(data, structuralKey+" or "+leafKey)
	if err != nil {
		return nil, nil, &WeightsError{File: TokensFile, Err: err}
	}
	for _, f := range fields {
		var into *map[string]float64
		switch f.Key {
		case structuralKey:
			into = &structural
		case leafKey:
			into = &leaf
		default:
			err := fmt.Errorf("unknown key: want %s or %s", structuralKey, leafKey)
			return nil, nil, &WeightsError{File: TokensFile, Key: fmt.Sprintf("%q", f.Key), Err: err}
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

func parseTable(f strictjson.Field) (map[string]float64, error) {
	fields, err := strictjson.Object(f.Value, "a node type")
	if err != nil {
		return nil, &WeightsError{File: TokensFile, Key: f.Key, Err: err}
	}
	table := make(map[string]float64, len(fields))
	for _, sub := range fields {
		if table[sub.Key], err = parseWeight(sub.Value); err != nil {
			return nil, &WeightsError{File: TokensFile, Key: fmt.Sprintf("%s %q", f.Key, sub.Key), Err: err}
		}
	}
	return table, nil
}

func parseWeight(raw json.RawMessage) (float64, error) {
	var weight float64
	// Unmarshal leaves a number untouched for null, and would call it 0.
	if err := json.Unmarshal(raw, &weight); err != nil || strictjson.IsNull(raw) {
		return 0, fmt.Errorf("%s: want a number in [0, %d]", strictjson.Clip(raw), maxWeight)
	}
	if weight < 0 || weight > maxWeight {
		return 0, fmt.Errorf("%v: want a number in [0, %d]", weight, maxWeight)
	}
	return weight, nil
}
