package jobstream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Storage is the use of one limited file store.
type Storage struct {
	// Of is "account", or the name of a server.
	Of string
	// Used and Limit are bytes.
	Used, Limit int64
}

// storageOfAccount stands for the account, whose name the server does not report.
const storageOfAccount = "account"

// accountTime bounds the question for the account. Where no server is left to answer it, the
// reader of the metrics waits no longer, and still gets the others.
const accountTime = time.Second

// Storage reads the limits of the account, and of each server that reports one. silent is how
// many servers of the cluster do not answer; -1 if that is not known. If the user may not ask
// the servers, they are asked only once.
func (b *Bus) Storage(ctx context.Context) (found []Storage, silent int, err error) {
	asking, cancel := context.WithTimeout(ctx, accountTime)
	defer cancel()
	account, err := b.js.AccountInfo(asking)
	if err != nil {
		return nil, -1, fmt.Errorf("looking at the account: %w", err)
	}
	if used, limit := storage(account); limit > 0 {
		found = append(found, Storage{storageOfAccount, used, limit})
	}
	if b.untold.Load() {
		return found, -1, nil
	}
	servers, away, err := Servers(ctx, b.nc)
	if err != nil {
		if errors.Is(err, ErrNotTold) {
			b.untold.Store(true) // every further question would be a refusal in the server's log
		}
		return found, -1, nil
	}
	for _, s := range servers { // a server that is away is asked again the next time
		if s.StoreLimit > 0 {
			found = append(found, Storage{s.Name, s.Store, s.StoreLimit})
		}
	}
	return found, len(away), nil
}
