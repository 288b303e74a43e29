package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
)

// tools checks that what the build calls is there, before anything is
// downloaded, and notes the compiler's name.
func (b *builder) tools(ctx context.Context) error {
	version, err := exec.CommandContext(ctx, b.cc, "--version").Output()
	if err != nil {
		return fmt.Errorf("no C compiler (%s: %w): install one with %s, or name it in CC",
			b.cc, err, hint("apt-get install gcc libc6-dev", "xcode-select --install"))
	}
	b.made.Compiler, _, _ = strings.Cut(string(version), "\n")
	return nil
}

// hint chooses the command that installs a tool on this system.
func hint(linux, darwin string) string {
	if runtime.GOOS == "darwin" {
		return "`" + darwin + "`"
	}
	return "`" + linux + "`"
}
