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
	return b.checkTarget(ctx)
}

// machines are the names that C compilers have for processors that another machine may
// build for.
var machines = map[string]string{"amd64": "x86_64", "arm64": "aarch64"} //nolint:gochecknoglobals // a constant table

// checkTarget refuses a compiler for another processor than the one that is built for:
// its objects would fail to load, on a machine that has no compiler.
func (b *builder) checkTarget(ctx context.Context) error {
	if b.arch == runtime.GOARCH {
		return nil
	}
	machine, known := machines[b.arch]
	if !known {
		return fmt.Errorf("-arch %s: want %s, or amd64 or arm64 with a compiler for it", b.arch, runtime.GOARCH)
	}
	target, err := exec.CommandContext(ctx, b.cc, "-dumpmachine").Output()
	if err != nil {
		return fmt.Errorf("asking %s what it compiles for: %w", b.cc, err)
	}
	if !strings.HasPrefix(string(target), machine+"-") {
		return fmt.Errorf("-arch %s: %s compiles for %s: name a compiler for it in CC, such as %s-linux-gnu-gcc",
			b.arch, b.cc, strings.TrimSpace(string(target)), machine)
	}
	return nil
}

// hint chooses the command that installs a tool on this system.
func hint(linux, darwin string) string {
	if runtime.GOOS == "darwin" {
		return "`" + darwin + "`"
	}
	return "`" + linux + "`"
}
