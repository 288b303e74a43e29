package tokenscore

import "fmt"

// memoryEnvironment keeps a child's Go heap well inside the cap, so that the
// collector runs before the kernel says no. A quarter is Go's: texts and their
// signatures; the rest is for trees, which live in the C heap.
func memoryEnvironment(limit int64) []string {
	if limit < 0 {
		return nil
	}
	return []string{
		fmt.Sprintf("GOMEMLIMIT=%d", limit/4),
		// A child does one thing at a time: its collector leaves the other
		// processors to other children.
		"GOMAXPROCS=1",
		// One crashing thread tells the cause; all of them fill the log.
		"GOTRACEBACK=single",
	}
}
