//go:build !linux

package sandbox

// Enter does nothing: there is no such sandbox here.
func Enter(...string) (State, error) { return State{}, nil }

// Limit does nothing: only Linux holds a process to limits from outside.
func Limit(int, Limits) error { return nil }

// HideFiles does nothing.
func HideFiles() error { return nil }
