package containers_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// reviveNames starts podman's name server again when it no longer answers. Debian's
// aardvark-dns 1.4 takes its sockets down for each container that starts, and may hang
// when it is asked meanwhile (its issue 389).
func reviveNames(ctx context.Context) {
	const format = "{{range .Subnets}}{{.Gateway}}{{end}}"
	gateway, err := exec.CommandContext(ctx, "podman", "network", "inspect", "--format", format, "mirrorfleet_fleet").Output()
	if err != nil {
		return // there is no such network now
	}
	address := net.JoinHostPort(strings.TrimSpace(string(gateway)), "53")
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "udp", address)
	}}
	const patience = 3 * time.Second // a busy machine answers within it
	asked, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var failed *net.DNSError
	if _, err := resolver.LookupHost(asked, "redis."); !errors.As(err, &failed) || !failed.IsTimeout || ctx.Err() != nil {
		return
	}
	processes, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well formed
	for _, process := range processes {
		name, _ := os.ReadFile(filepath.Join(process, "comm")) // it may have ended
		line, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		id, err := strconv.Atoi(filepath.Base(process))
		if strings.TrimSpace(string(name)) != "aardvark-dns" || err != nil {
			continue
		}
		args := strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00")
		_ = syscall.Kill(id, syscall.SIGKILL)                      // it may have ended
		_ = exec.CommandContext(ctx, args[0], args[1:]...).Start() // it goes on by itself; the next look says whether it answers
	}
}
