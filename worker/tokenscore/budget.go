package tokenscore

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// ErrSpent says that a budget which several pull requests share is spent.
var ErrSpent = errors.New("the budget of all files together is spent")

// Budget is processor time that several pull requests share. Each may use what is left when
// it begins, up to Config.Budget. Pull requests that run side by side do not see each
// other's use, so each can exceed the rest by up to Config.Budget. A nil Budget never ends.
type Budget struct {
	total time.Duration
	spent atomic.Int64
}

// NewBudget makes an unused budget.
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

// end returns ErrSpent if nothing is left.
func (b *Budget) end() error {
	if b.left() > 0 {
		return nil
	}
	return fmt.Errorf("%w: %v of processor time", ErrSpent, b.total)
}
