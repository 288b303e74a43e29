package job

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrUndeclared says that an egress is not declared.
var ErrUndeclared = errors.New("job: egress not declared")

// Egresses are the fleet's egresses, as a producer has declared them. They belong to the
// network, not to a round. A process that sends under another name would have a second
// bucket for an address that may have one already, and both together would exceed the
// limit. The zero value means that none is declared.
type Egresses struct {
	Version int      `json:"version"`
	Names   []string `json:"names"` // sorted
	// By is the producer that declared them.
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Admit is nil for an egress that may send. While none is declared, every egress may: no
// producer that declares them has started yet.
func (e Egresses) Admit(egress string) error {
	if len(e.Names) == 0 || slices.Contains(e.Names, egress) {
		return nil
	}
	return fmt.Errorf("%w: %s is not among the fleet's egresses, which are %s", ErrUndeclared, egress, e)
}

// String lists the names, with who declared them.
func (e Egresses) String() string {
	return fmt.Sprintf("%s (declared by producer %s at %s)", strings.Join(e.Names, ", "), e.By, e.At.UTC().Format(time.RFC3339))
}
