package mirrorsim

import "net"

// ownListener closes the connections of other users of this machine before they are
// served. A password is no choice: the real mirror has none, so clients cannot send one.
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
		_ = conn.Close() // nothing is told to a stranger
	}
}
