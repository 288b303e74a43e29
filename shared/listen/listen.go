package listen

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// The bounds of one connection. A header of a request takes milliseconds.
const (
	HeaderTime = 5 * time.Second
	ReadTime   = 10 * time.Second // with the body
	IdleTime   = 30 * time.Second
	maxHeader  = 16 << 10
)

// on listens on an address for at most so many connections at once.
func on(ctx context.Context, addr string, connections int) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	return netutil.LimitListener(listener, connections), nil
}

// HTTP is an HTTP server with these bounds, for a caller with its own listener. An answer has
// writeTime, which begins with the request's header.
func HTTP(handler http.Handler, writeTime time.Duration, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: HeaderTime,
		ReadTimeout:       ReadTime,
		IdleTimeout:       IdleTime,
		WriteTimeout:      writeTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Loopback says whether only this machine can reach an address, host:port.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
