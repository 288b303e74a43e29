package mirror

import (
	"errors"
	"fmt"
	"strings"
)

// errName is a name that has no place in an address.
var errName = errors.New("not a name that the mirror can be asked for")

// name refuses an id that would change the address: it comes from others.
func (r request) name(id string) error {
	outside := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
	}
	// Dots alone would be cleaned away, and another path be asked for.
	if id != "" && strings.Trim(id, ".") != "" && !strings.ContainsFunc(id, outside) {
		return nil
	}
	return &RequestError{
		Method: r.method,
		Route:  r.route,
		Path:   r.route,
		Final:  true,
		Err:    fmt.Errorf("%w: %.100q, want letters, digits, dashes, dots and underscores", errName, id),
	}
}

// names refuses any other text than owner/repo.
func (r request) names(repository string) error {
	owner, name, _ := strings.Cut(repository, "/")
	if err := r.name(owner); err != nil {
		return err
	}
	return r.name(name)
}
