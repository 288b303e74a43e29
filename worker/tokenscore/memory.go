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
		// What lives long is a few megabytes: collected five times as seldom as
		// usual, it costs memory that the cap has and leaves the other
		// processors to other children.
		"GOGC=500",
		// One crashing thread tells the cause; all of them fill the log.
		"GOTRACEBACK=single",
	}
}
