// Package conformance says which state of the validator the product follows. The Python beside
// it compares a checkout of the validator with the product: docs/conform.md.
package conformance

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed followed.json
var followed []byte

// Followed is a state of the validator: docs/conform.md#the-followed-state.
type Followed struct {
	Commit   string            `json:"commit"`
	Date     string            `json:"date"`
	Packages map[string]string `json:"packages"` // versions of the parser's packages
	Files    map[string]struct {
		SHA256 string `json:"sha256"`
		Holds  string `json:"holds"`
	} `json:"files"` // those that hold rules or weights
}

// Read reads the state that this build follows.
func Read() (Followed, error) {
	var f Followed
	if err := json.Unmarshal(followed, &f); err != nil {
		return f, fmt.Errorf("reading the followed state of the validator: %w", err)
	}
	return f, nil
}
