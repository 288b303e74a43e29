//go:build !linux

package mirrorsim

import "net"

// own cannot tell whose a connection is, and takes each.
func own(net.Conn) bool { return true }
