package signing

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"mirrorfleet/shared/secret"
)

// maxFile bounds a file of keys: one is 120 bytes.
const maxFile = 64 << 10

// Private reads a private key, from a file that others cannot read. Its public key
// verifies, too.
func (k Keys) Private(path string) (Keys, error) {
	data, err := secret.Read(path, maxFile)
	if err != nil {
		return k, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" {
		return k, fmt.Errorf("%s holds no private key: want PEM as `openssl genpkey -algorithm ed25519` writes it", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, is := key.(ed25519.PrivateKey)
	if err != nil || !is { // the error may say something of the key
		return k, fmt.Errorf("%s holds another private key than one of ed25519: want PEM as `openssl genpkey -algorithm ed25519` writes it", path)
	}
	public, _ := private.Public().(ed25519.PublicKey) // it is nothing else
	k.private, k.public = private, append(k.public, public)
	return k, nil
}

// Public reads public keys, one or several.
func (k Keys) Public(path string) (Keys, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return k, err //nolint:wrapcheck // it names the path
	}
	if len(data) > maxFile {
		return k, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	found := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		public, err := publicOf(block)
		if err != nil {
			return k, fmt.Errorf("%s, block %d: %w", path, found+1, err)
		}
		k.public = append(k.public, public)
		found++
	}
	if found == 0 {
		return k, fmt.Errorf("%s holds no public key: want PEM as `openssl pkey -pubout` writes it", path)
	}
	return k, nil
}

func publicOf(block *pem.Block) (ed25519.PublicKey, error) {
	if block.Type != "PUBLIC KEY" { // which may be the private one: nothing of it is told
		return nil, errors.New("it is no public key: want PEM as `openssl pkey -pubout` writes it")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the public key cannot be read: %w", err)
	}
	public, is := key.(ed25519.PublicKey)
	if !is {
		return nil, fmt.Errorf("it is a key of another kind (%T), want ed25519", key)
	}
	return public, nil
}
