package sandbox

import "time"

// Limits are what a process may use of the machine.
type Limits struct {
	// Memory is what it may hold in bytes; negative means no limit.
	Memory int64
	// Processor is the time that all its threads may work; then it is killed.
	Processor time.Duration
	// Namespace says that it runs in a namespace of its own.
	Namespace bool
}
