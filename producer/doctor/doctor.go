package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Status is how serious a finding is.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Warning Status = "warning" // it works, but less well than it could, or not for long
	Fault   Status = "fault"   // a round would fail, hang or be wrong
)

// Finding is one result of a check.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	// Code names a warning or a fault for good; docs/troubleshoot.md lists them.
	Code Code   `json:"code,omitempty"`
	Text string `json:"text"`
	// Mend says what to do.
	Mend string `json:"mend,omitempty"`
}

// Diagnosis is all findings, with the number of faults and warnings.
type Diagnosis struct {
	Faults   int       `json:"faults"`
	Warnings int       `json:"warnings"`
	Checks   []Finding `json:"checks"`
}

// Diagnose counts what was found.
func Diagnose(found []Finding) Diagnosis {
	d := Diagnosis{Checks: found}
	for _, f := range found {
		switch f.Status {
		case OK:
		case Warning:
			d.Warnings++
		case Fault:
			d.Faults++
		}
	}
	return d
}

// Check is one part of an installation.
type Check struct {
	Name string
	// Run looks. It ends when the context does.
	Run func(context.Context) []Finding
}

// Run runs all checks side by side, each for timeout, and returns their findings in the
// order of the checks.
func Run(ctx context.Context, checks []Check, timeout time.Duration) []Finding {
	found := make([][]Finding, len(checks))
	var running sync.WaitGroup
	for i, check := range checks {
		running.Go(func() {
			ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
			defer cancel()
			found[i] = check.Run(ctx)
		})
	}
	running.Wait()
	var all []Finding
	for i, check := range checks {
		for _, f := range found[i] {
			f.Check = check.Name
			all = append(all, f)
		}
	}
	return all
}

// Nothing is a check that only says why there is nothing to check.
func Nothing(name, why string) Check {
	return Check{name, func(context.Context) []Finding { return []Finding{fine("%s", why)} }}
}

func fine(format string, args ...any) Finding {
	return Finding{Status: OK, Text: fmt.Sprintf(format, args...)}
}

func warn(code Code, format string, args ...any) Finding {
	return Finding{
		Status: Warning,
		Code:   code,
		Text:   fmt.Sprintf(format, args...),
		Mend:   code.mend(),
	}
}

func fault(code Code, format string, args ...any) Finding {
	return Finding{
		Status: Fault,
		Code:   code,
		Text:   fmt.Sprintf(format, args...),
		Mend:   code.mend(),
	}
}

// skipped stands for a check that cannot be made because another one, see, has found a
// fault. It is a warning, so that the same fault does not count twice.
func skipped(see string) Finding { return warn(NotLookedAt, "not looked at: see %s", see) }

// unless returns found, or if that is empty, a finding that all is well.
func unless(found []Finding, format string, args ...any) []Finding {
	if len(found) > 0 {
		return found
	}
	return []Finding{fine(format, args...)}
}
