// Package local runs NATS with JetStream and Redis inside the process, for a round on one
// machine. Workers reach them over loopback TCP, as they reach real servers elsewhere: only
// the addresses differ.
//
// Guarantees:
//   - Both listen on loopback alone, on free ports unless told otherwise, and refuse
//     clients without the password. The password is random and lasts for one start; a
//     restart of NATS in between keeps it. It is in the URLs and in the file that Find
//     reads, and in no log or error.
//   - Only its owner can enter the state directory. Other users of the machine cannot read
//     it.
//   - NATS keeps everything in its directory, and confirms a write after it is on the disk.
//     Neither a killed process nor a failed machine loses it. Redis keeps nothing: it holds
//     the limiter's state, which starts again by itself.
//   - One process at a time has the directory. The next one gets an *InUseError that names
//     the holder. Find tells the directory's owner where the servers listen. Close waits
//     for both servers and then frees the directory.
//
// On a full disk NATS is stopped: after a failed write it would stay up and confirm
// nothing, and so look like a working server. Once there is room it restarts with its files
// and address.
//
// Failures: Start returns an error that names the directory or the address if the directory
// is in use, cannot be written, belongs to another user, contains other things and is open
// to other users, or is on a full disk, or if an address is in use. Nothing keeps running
// then. Later failures that room does not repair are told by Lost: a directory that was
// removed, a disk that refuses writes, a restart that failed. NATS does not run after that.
package local
