package mirrorsim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strconv"
)

// looks is how often the table is read: the kernel may skip a line while other sockets are
// opened and closed.
const looks = 3

// own says whether a connection comes from a process of this user. It looks up the other
// end in the kernel's table of TCP sockets, which has the user of each. A connection that
// is not in the table, such as one from another machine, is not ours.
func own(conn net.Conn) bool {
	here, isTCP := conn.LocalAddr().(*net.TCPAddr)
	there, isTCP2 := conn.RemoteAddr().(*net.TCPAddr)
	if !isTCP || !isTCP2 || here.IP.To4() == nil || there.IP.To4() == nil {
		return false
	}
	for range looks {
		table, err := os.ReadFile("/proc/net/tcp")
		if err != nil {
			return false
		}
		if uid, found := userOf(table, there, here); found {
			return uid == os.Getuid()
		}
	}
	return false
}

// userOf is the user of the socket at local that is connected to remote. Field 7 of a line
// of /proc/net/tcp is the uid (proc(5)).
func userOf(table []byte, local, remote *net.TCPAddr) (uid int, found bool) {
	for line := range bytes.Lines(table) {
		fields := bytes.Fields(line)
		if len(fields) < 8 || string(fields[1]) != inTable(local) || string(fields[2]) != inTable(remote) {
			continue
		}
		uid, err := strconv.Atoi(string(fields[7]))
		return uid, err == nil
	}
	return 0, false
}

// inTable is an IPv4 address in the form of the kernel's table: the address in the byte
// order of the machine, the port in hexadecimal.
func inTable(a *net.TCPAddr) string {
	return fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(a.IP.To4()), a.Port)
}
