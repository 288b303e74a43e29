// Package certs sets up TLS from files: the CA that is trusted, and the certificate and
// key that a process shows.
//
// Guarantees: files are checked at the start, each error names the setting and
// what mends it, and none holds anything of a key. A file of a key that others
// can read is refused. Files are read again for each connection, so a renewed
// certificate counts from the next connection on; a server that finds a pair
// that does not fit (it is being replaced) shows the last good one.
//
// Explain distinguishes an error of TLS, which no waiting corrects, from a server that is
// away. Connections of a Dialer let it hear why a server has refused the client's
// certificate.
package certs
