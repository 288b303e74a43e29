// Package local runs NATS with JetStream and Redis inside the process, for a
// round on one machine. Workers reach them over loopback TCP, as they reach
// real ones elsewhere: only the addresses differ.
//
// Guarantees: both listen on loopback alone, without passwords, on free ports
// unless told otherwise. NATS keeps everything under its directory, and a
// process that is killed loses nothing that was confirmed (only a failing
// machine may lose the last SyncInterval). Redis keeps nothing: it holds the
// limiter's state, which starts anew by itself. One process at a time has the
// directory; the next gets an *InUseError that names the holder, and Find tells
// anybody where its servers listen. Close waits
// for both servers and then gives the directory free.
//
// How it fails: a directory that is in use or cannot be written, and an
// address in use, are errors of Start that name them; nothing is left running
// then.
package local
