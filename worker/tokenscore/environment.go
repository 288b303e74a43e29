package tokenscore

import "fmt"

// environment is all that a child has of one. It holds no secret of the worker's.
//
// It keeps a child's Go heap well inside the cap, so that the collector runs before
// the kernel says no. A quarter is Go's: texts and their signatures; the rest is for
// trees, which live in the C heap.
func environment(limit int64) []string {
	env := []string{
		// A child does one thing at a time: its collector leaves the other
		// processors to other children.
		"GOMAXPROCS=1",
		// The runtime need not look for its group's share of them, nor keep the files open.
		"GODEBUG=containermaxprocs=0",
		// One crashing thread tells the cause; all of them fill the log.
		"GOTRACEBACK=single",
	}
	if limit >= 0 {
		env = append(env, fmt.Sprintf("GOMEMLIMIT=%d", limit/4))
	}
	return env
}
