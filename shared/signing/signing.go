package signing

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Keys are what a process signs and verifies with. The zero value does neither.
type Keys struct {
	private ed25519.PrivateKey
	public  []ed25519.PublicKey
}

// Signs says whether there is a key to sign with.
func (k Keys) Signs() bool { return k.private != nil }

// Verifies says whether there is a key to verify with.
func (k Keys) Verifies() bool { return len(k.public) > 0 }

// Signature is who signed a content, and the signature. The zero value is that of a
// content that nobody signed.
type Signature struct {
	SignedBy  string `json:"signed_by"` // ID of the public key
	Signature []byte `json:"signature"`
}

// ID is a short name of a public key: the first eight bytes of its SHA-256.
func ID(public ed25519.PublicKey) string {
	digest := sha256.Sum256(public)
	return hex.EncodeToString(digest[:8])
}

// Digest is the SHA-256 of a content, as texts have it.
func Digest(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}

// Text makes the text that is signed. deploy/validator/mirrorfleet_round.py makes the same.
func Text(name, digest string) []byte {
	return fmt.Appendf(nil, "mirrorfleet 1\n%s\n%s\n", name, digest)
}

// Sign signs a content by its digest; Signs must hold.
func (k Keys) Sign(name, digest string) Signature {
	public, _ := k.private.Public().(ed25519.PublicKey) // it is nothing else
	return Signature{SignedBy: ID(public), Signature: ed25519.Sign(k.private, Text(name, digest))}
}

// Verify says what is wrong with a signature; nil if it is right, or if there is no
// key to verify with.
func (k Keys) Verify(name, digest string, s Signature) error {
	if !k.Verifies() {
		return nil
	}
	if s.SignedBy == "" {
		return fmt.Errorf("it is not signed, want a signature by key %s", k.ids())
	}
	at := slices.IndexFunc(k.public, func(public ed25519.PublicKey) bool { return ID(public) == s.SignedBy })
	if at < 0 {
		return fmt.Errorf("it is signed by key %.16q, want %s", s.SignedBy, k.ids())
	}
	if !ed25519.Verify(k.public[at], Text(name, digest), s.Signature) {
		return fmt.Errorf("the signature by key %s is not of this content as %s", s.SignedBy, name)
	}
	return nil
}

func (k Keys) ids() string {
	ids := make([]string, len(k.public))
	for i, public := range k.public {
		ids[i] = ID(public)
	}
	return strings.Join(ids, " or ")
}

// begin is how a signed content begins. No other content does: its JSON begins with
// its version, or with a number.
const begin = `{"signed_by":`

// Seal puts the signature before a content, on a line of its own: both are one
// value, so no crash separates them.
func (s Signature) Seal(content []byte) []byte {
	line := fmt.Appendf(nil, begin+"%q,\"signature\":%q}\n", s.SignedBy, base64.StdEncoding.EncodeToString(s.Signature))
	return append(line, content...)
}

// maxLine is more than the line of a signature has.
const maxLine = 512

// Open takes a value apart that may be sealed. What is read of it is no more
// than its beginning.
func Open(value []byte) (s Signature, content []byte, err error) {
	if !bytes.HasPrefix(value, []byte(begin)) {
		return Signature{}, value, nil
	}
	end := bytes.IndexByte(value[:min(len(value), maxLine)], '\n')
	if end < 0 {
		return Signature{}, nil, errors.New("the line of its signature has no end")
	}
	if err := json.Unmarshal(value[:end], &s); err != nil {
		return Signature{}, nil, fmt.Errorf("the line of its signature: %w", err)
	}
	return s, value[end+1:], nil
}

// Head is how many bytes of a value Open needs to find the signature.
const Head = maxLine
