package jobstream

import (
	"context"
	"errors"
	"fmt"
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

// Storage reads the limits of the account, and of each server that reports one. If the user
// may not ask the servers, they are asked only once.
func (b *Bus) Storage(ctx context.Context) ([]Storage, error) {
	account, err := b.js.AccountInfo(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking at the account: %w", err)
	}
	var found []Storage
	if used, limit := storage(account); limit > 0 {
		found = append(found, Storage{storageOfAccount, used, limit})
	}
	if b.untold.Load() {
		return found, nil
	}
	servers, _, err := Servers(ctx, b.nc)
	if errors.Is(err, ErrNotTold) {
		b.untold.Store(true) // every further question would be a refusal in the server's log
		return found, nil
	}
	for _, s := range servers { // a server that is away is asked again the next time
		if s.StoreLimit > 0 {
			found = append(found, Storage{s.Name, s.Store, s.StoreLimit})
		}
	}
	return found, nil
}
