package mirror

import (
	"fmt"
	"strings"
)

// name refuses an id that cannot stand in an address as it is. It fails as the
// mirror itself would: for good.
func (r request) name(id string) error {
	if plain(id) {
		return nil
	}
	return r.unnamable(id, "letters, digits, dots, dashes and underscores")
}

// names does the same for owner/repo.
func (r request) names(repository string) error {
	owner, name, found := strings.Cut(repository, "/")
	if found && plain(owner) && plain(name) {
		return nil
	}
	return r.unnamable(repository, "owner/repo")
}

func (r request) unnamable(id, want string) error {
	return &RequestError{
		Method: r.method, Route: r.route, Path: r.route, Final: true,
		Err: fmt.Errorf("%w: %.100q, want %s", errName, id, want),
	}
}

// plain says whether a text is one segment of a path that means itself.
func plain(s string) bool {
	if s == "" || s == "." || s == ".." {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_", r)
	}) < 0
}
