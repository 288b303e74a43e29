// Package watch ends what watches a bucket.
package watch

import "github.com/nats-io/nats.go/jetstream"

// Stop ends a watcher and takes what it has, so that the library's callback, if
// it waits for a reader, goes on: stopped, it is called no more, and what it is
// about to say has room. It does not wait for the end of the updates, which never
// comes if the context ended while the watcher began.
func Stop(w jetstream.KeyWatcher) {
	_ = w.Stop() // it only fails when it has ended
	for {
		select {
		case _, open := <-w.Updates():
			if !open {
				return
			}
		default:
			return
		}
	}
}
