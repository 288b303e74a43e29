package mirrorsim

import "net"

// ownListener ends each connection of another user of this machine before it is served.
// There is no password that a mirror's clients could give: the real one asks for none.
type ownListener struct{ net.Listener }

// Accept waits for the next connection of this user.
func (l ownListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err //nolint:wrapcheck // http.Server knows the listener's errors
		}
		if own(conn) {
			return conn, nil
		}
		_ = conn.Close() // whoever it is
	}
}
