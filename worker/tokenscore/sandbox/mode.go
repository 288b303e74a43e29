package sandbox

import (
	"fmt"
	"strings"
)

// Mode says how much of a sandbox there must be.
type Mode string

// The modes. The empty one is Auto.
const (
	Auto     Mode = "auto"     // as much as the kernel has
	Required Mode = "required" // seccomp and Landlock, or an error
	Off      Mode = "off"      // none; Limit holds all the same
)

// Check refuses any other text than a mode.
func (m Mode) Check() error {
	switch m {
	case "", Auto, Required, Off:
		return nil
	}
	return fmt.Errorf("%q: want %s, %s or %s", string(m), Auto, Required, Off)
}

// State is what holds a process.
type State struct {
	Landlock  int  `json:"landlock"` // the kernel's version of it; 0 for none
	Seccomp   bool `json:"seccomp"`
	Namespace bool `json:"namespace"`
}

// Lacks names what does not hold the process, each with what that means. Landlock 1
// is enough: what later versions add, seccomp refuses.
func (s State) Lacks() []string {
	lacks := []string{}
	if !s.Seccomp {
		lacks = append(lacks, "seccomp (a child could open connections and start programs)")
	}
	if s.Landlock == 0 {
		lacks = append(lacks, "Landlock (a child could read what its user can read)")
	}
	if !s.Namespace {
		lacks = append(lacks, "namespaces (seccomp alone keeps a child from the network)")
	}
	return lacks
}

// Satisfies says whether the state is enough for a mode.
func (s State) Satisfies(m Mode) error {
	if m != Required || s.Seccomp && s.Landlock > 0 {
		return nil
	}
	return &MissingError{Held: s}
}

// MissingError says that the kernel lacks what Required asks for.
type MissingError struct{ Held State }

func (e *MissingError) Error() string {
	held := e.Held
	held.Namespace = true // nothing relies on one, and nothing requires it
	return fmt.Sprintf("--sandbox required: the kernel lacks, or a container withholds, %s "+
		"(Linux 5.13 with lsm=landlock has both; --sandbox auto takes what there is)", strings.Join(held.Lacks(), " and "))
}
