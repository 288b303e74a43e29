package tokenscore

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// ErrSpent says that the budget which a pull request shares with others is spent.
var ErrSpent = errors.New("the budget of all files together is spent")

// Budget is processor time that several pull requests share: each may take what
// is left when it begins, and no more than one may have. Those that are scored
// side by side can take it over by what one may have, each. Nil has no end.
type Budget struct {
	total time.Duration
	spent atomic.Int64
}

// NewBudget is a budget of which nothing is spent.
func NewBudget(total time.Duration) *Budget { return &Budget{total: total} }

func (b *Budget) left() time.Duration {
	if b == nil {
		return math.MaxInt64
	}
	return b.total - time.Duration(b.spent.Load())
}

func (b *Budget) spend(d time.Duration) {
	if b != nil {
		b.spent.Add(int64(d))
	}
}

// end is ErrSpent when nothing is left.
func (b *Budget) end() error {
	if b.left() > 0 {
		return nil
	}
	return fmt.Errorf("%w: %v of processor time", ErrSpent, b.total)
}
