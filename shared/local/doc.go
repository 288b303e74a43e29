// Package local runs NATS with JetStream and Redis inside the process, for a
// round on one machine. Workers reach them over loopback TCP, as they reach
// real ones elsewhere: only the addresses differ.
//
// Guarantees: both listen on loopback alone, on free ports unless told otherwise, and
// refuse whoever does not give the password. It is random and of one start: what
// restarts NATS meanwhile keeps it. It is in the URLs and in the file that Find reads,
// and in no log or error. The directory is its owner's alone, and with it everything
// below: another user of the machine gets nothing. NATS keeps everything under its directory, and what it
// has confirmed is on the disk: neither a process that is killed nor a machine
// that fails loses it. Redis keeps nothing: it holds the limiter's state, which
// starts anew by itself. One process at a time has the directory; the next gets
// an *InUseError that names the holder, and Find tells its owner where its servers
// listen. Close waits for both servers and then gives the directory free.
//
// On a full disk NATS is stopped, so that it is not taken for a server that
// works: after a failed write it would stay up and confirm nothing more. Once
// there is room it is restarted on its files and address.
//
// How it fails: a directory that is in use, that cannot be written, that belongs to
// another user, that others may enter though there are other things in it, or whose disk
// is full, and an address in use, are errors of Start that name them; nothing is
// left running then. Later, what room does not mend is told by Lost: a directory
// that was removed, a disk that refuses writes, a restart that failed. No NATS
// runs from then on.
package local
