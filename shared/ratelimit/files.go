package ratelimit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/secret"
)

// Files prove to Redis who this process is, and to this process who Redis is. Each
// is "" for none. Those of TLS are read again for each connection.
type Files struct {
	// TLS needs a URL that begins with rediss://.
	TLS certs.Files
	// Password is the file of the password of the user in the URL.
	Password string
}

// setting is the flag whose name those of the files begin with.
const setting = "--redis"

// apply checks the files and gives the client the password.
func (f Files) apply(options *redis.Options) error {
	f.TLS.Setting = setting
	if f.TLS.Given() && options.TLSConfig == nil {
		return &certs.Error{What: "--redis has no TLS, and files for it are given", Remedy: "begin the URL with rediss://, or leave them out"}
	}
	if err := f.TLS.Check(time.Now()); err != nil {
		return err
	}
	if f.Password == "" {
		return nil
	}
	if options.Password != "" {
		return errors.New("--redis-password-file and a password in --redis exclude each other: give one of them")
	}
	password, err := secret.Line(f.Password)
	if err != nil {
		return fmt.Errorf("--redis-password-file: %w", err)
	}
	options.Password = password
	return nil
}

// ServerCertificate is the certificate that Redis shows; nil for a URL without TLS.
func ServerCertificate(ctx context.Context, address string, files Files) (*x509.Certificate, error) {
	client, err := NewSecureClient(address, 0, files)
	if err != nil {
		return nil, err
	}
	defer client.Close() // it has made no connection
	options := client.Options()
	if options.TLSConfig == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	conn, err := files.dialer(options)(ctx, options.Network, options.Addr)
	if err != nil {
		return nil, fmt.Errorf("looking at the certificate of Redis: %w", err)
	}
	defer conn.Close()
	secured, is := conn.(*tls.Conn)
	if !is {
		return nil, errors.New("looking at the certificate of Redis: the connection has no TLS")
	}
	return secured.ConnectionState().PeerCertificates[0], nil
}

// dialer dials as the client would by itself, with the files as they are then.
func (f Files) dialer(options *redis.Options) dialer {
	f.TLS.Setting = setting
	if options.TLSConfig == nil {
		return redis.NewDialer(options)
	}
	name := options.TLSConfig.ServerName
	plain := *options
	plain.TLSConfig = nil
	dial := redis.NewDialer(&plain)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		cfg, err := f.TLS.Client()
		if err != nil {
			return nil, err
		}
		cfg.ServerName = name
		ctx, cancel := context.WithTimeout(ctx, options.DialTimeout) // for both, the dial and the handshake
		defer cancel()
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		secured := tls.Client(certs.Listening(conn), cfg)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = conn.Close() // which the context's end may have done
			return nil, err  //nolint:wrapcheck // certs.Explain reads it
		}
		return secured, nil
	}
}
