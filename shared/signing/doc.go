// Package signing signs what producers store, and verifies it, with ed25519.
//
// Guarantees: a signature is of a name and of the SHA-256 of a content, so what was
// signed as one thing is refused as another. A private key is in no error and no
// log. Without a public key nothing is verified; with one, only what one of the
// public keys vouches for is taken.
//
// Keys are PEM files as `openssl genpkey -algorithm ed25519` and `openssl pkey
// -pubout` write them. A file of public keys may hold several: that is how a key is
// replaced by another.
package signing
