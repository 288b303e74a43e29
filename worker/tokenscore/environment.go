package tokenscore

import "fmt"

// environment is the whole environment of a child. It contains no secret of the worker's.
// GOMEMLIMIT is a quarter of the child's memory limit, so that Go's collector runs long
// before the kernel refuses memory. That quarter holds texts and their signatures; the rest
// is for trees, which live in the C heap.
func environment(limit int64) []string {
	env := []string{
		// A child does one thing at a time. Its collector must not use the other children's
		// processors.
		"GOMAXPROCS=1",
		// The runtime need not read the processor limit of its cgroup, nor keep those files
		// open.
		"GODEBUG=containermaxprocs=0",
		// The stack of the crashing thread shows the cause; those of all threads would fill
		// the log.
		"GOTRACEBACK=single",
	}
	if limit >= 0 {
		env = append(env, fmt.Sprintf("GOMEMLIMIT=%d", limit/4))
	}
	return env
}
