package mirrorsim

import "time"

// Demo makes the demo world of a seed.
func Demo(_ uint64) *World { return NewWorld("demo", time.Time{}) }
