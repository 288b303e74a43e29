// Package secret reads a file with a secret, and refuses one that others can read.
// Secrets are passwords, tokens, private keys and the miners' access tokens.
//
// Guarantees: a file that others can read is refused, with its mode and the
// command that mends it; its content is in no error. Others are those who are
// neither the file's user nor of its group: a group may read, because that is
// how Kubernetes mounts secrets for a process that does not run as root
// (fsGroup, mode 0440). What a group can read of this process's own user is used, and
// Loose says how to close it. A symbolic link counts as what it leads to.
package secret
