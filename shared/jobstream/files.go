package jobstream

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/secret"
)

// Files prove this process's identity to NATS, and NATS's to this process. An empty path
// means none. All but the password's file are read again for each connection, so a renewed
// file counts after the next reconnect.
type Files struct {
	// Setting is the flag from whose name those of Password, Creds and NKey are made.
	// Default: --nats.
	Setting string
	// TLS: with any of its files the connection must be encrypted, whatever the URL's
	// scheme, and a server without TLS is refused.
	TLS certs.Files
	// Password is the file of the password of the user in the URL.
	Password string
	// Creds is a file with a JWT and its key. NKey is a file with the seed of an nkey.
	Creds, NKey string
}

// CredentialsError says that a process cannot prove its identity, and how to correct that.
type CredentialsError struct {
	What, Remedy string
	Err          error // nil where What says it all
}

func (e *CredentialsError) Error() string { return e.What + ": " + e.Remedy }

func (e *CredentialsError) Unwrap() error { return e.Err }

// Unauthorized says whether an error means that credentials are refused, expired or
// unusable. Waiting does not correct that.
func Unauthorized(err error) bool {
	_, ours := errors.AsType[*CredentialsError](err)
	return ours || errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) ||
		errors.Is(err, nats.ErrAuthRevoked) || errors.Is(err, nats.ErrAccountAuthExpired)
}

// maxCreds bounds how much of a file is read: many times the longest real one.
const maxCreds = 1 << 20

// apply returns the address with the password in it, and the connection's options.
func (f Files) apply(address string) (string, []nats.Option, error) {
	f.TLS.Setting, f.Setting = setting, cmp.Or(f.Setting, setting)
	if err := f.oneWay(address); err != nil {
		return "", nil, err
	}
	if err := f.TLS.Check(time.Now()); err != nil {
		return "", nil, err
	}
	address, err := f.withPassword(address)
	if err != nil {
		return "", nil, err
	}
	options := f.secured()
	switch {
	case f.Creds != "":
		if err := f.checkCreds(time.Now()); err != nil {
			return "", nil, err
		}
		options = append(options, nats.UserCredentials(f.Creds))
	case f.NKey != "":
		option, err := f.withNKey()
		if err != nil {
			return "", nil, err
		}
		options = append(options, option)
	}
	return address, options, nil
}

// setting is the flag that names the servers.
const setting = "--nats"

// oneWay refuses two kinds of credentials at once: the client would silently use one of
// them.
func (f Files) oneWay(address string) error {
	var ways []string
	for name, given := range map[string]bool{
		"a user in " + f.Setting: strings.Contains(address, "@") && f.Password == "", f.Setting + "-password-file": f.Password != "",
		f.Setting + "-creds": f.Creds != "", f.Setting + "-nkey": f.NKey != "",
	} {
		if given {
			ways = append(ways, name)
		}
	}
	if len(ways) > 1 {
		slices.Sort(ways)
		return &CredentialsError{What: strings.Join(ways, " and ") + " exclude each other", Remedy: "give one of them"}
	}
	return nil
}

// secured are the options of TLS.
func (f Files) secured() []nats.Option {
	if !f.TLS.Given() {
		return nil
	}
	var certificate nats.TLSCertHandler
	var pool nats.RootCAsHandler
	if f.TLS.Cert != "" {
		certificate = func() (tls.Certificate, error) { return f.TLS.Pair() }
	}
	if f.TLS.CA != "" {
		pool = func() (*x509.CertPool, error) { return f.TLS.Pool() }
	}
	return []nats.Option{
		nats.ClientTLSConfig(certificate, pool),
		nats.SetCustomDialer(&certs.Dialer{Dialer: net.Dialer{Timeout: nats.DefaultTimeout}}),
	}
}

// withPassword adds the file's password to the user in each URL.
func (f Files) withPassword(address string) (string, error) {
	if f.Password == "" {
		return address, nil
	}
	password, err := secret.Line(f.Password)
	if err != nil {
		return "", unreadable(f.Setting+"-password-file", err)
	}
	var urls []string
	for one := range strings.SplitSeq(address, ",") {
		one = strings.TrimSpace(one)
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		u, err := url.Parse(one)
		if err != nil || u.User.Username() == "" {
			return "", &CredentialsError{
				What:   f.Setting + "-password-file without a user at " + Redact(one),
				Remedy: "name the user in " + f.Setting + ": nats://worker@host:4222",
			}
		}
		if _, given := u.User.Password(); given {
			return "", &CredentialsError{
				What:   f.Setting + "-password-file and a password at " + Redact(one) + " exclude each other",
				Remedy: "leave the user alone in " + f.Setting + ": nats://worker@host:4222",
			}
		}
		u.User = url.UserPassword(u.User.Username(), password)
		// A comma separates URLs, and net/url leaves that of a password as it is.
		urls = append(urls, strings.ReplaceAll(u.String(), ",", "%2C"))
	}
	return strings.Join(urls, ","), nil
}

// checkCreds reads a creds file, and refuses it if its JWT has expired by now.
func (f Files) checkCreds(now time.Time) error {
	what := f.Setting + "-creds " + f.Creds
	data, err := secret.Read(f.Creds, maxCreds)
	if err != nil {
		return unreadable(f.Setting+"-creds", err)
	}
	token, err := jwt.ParseDecoratedJWT(data)
	if err == nil {
		_, err = jwt.ParseDecoratedUserNKey(data)
	}
	if err != nil {
		return &CredentialsError{What: what + " holds no credentials of a user", Remedy: "make them: nsc generate creds"}
	}
	claims, err := jwt.DecodeUserClaims(token)
	if err != nil {
		return &CredentialsError{What: what + " holds no JWT of a user", Remedy: "make one: nsc generate creds"}
	}
	if claims.Expires > 0 && now.Unix() >= claims.Expires {
		return &CredentialsError{
			What:   what + " has expired, at " + time.Unix(claims.Expires, 0).UTC().Format(time.RFC3339),
			Remedy: "make a new one: nsc generate creds",
		}
	}
	return nil
}

// withNKey proves this process's identity by the seed in a file.
func (f Files) withNKey() (nats.Option, error) {
	if _, err := secret.Read(f.NKey, maxCreds); err != nil {
		return nil, unreadable(f.Setting+"-nkey", err)
	}
	option, err := nats.NkeyOptionFromSeed(f.NKey)
	if err != nil {
		return nil, &CredentialsError{What: f.Setting + "-nkey " + f.NKey + " holds no seed of a user", Remedy: "make one: nk -gen user"}
	}
	return option, nil
}

// unreadable names the setting whose file cannot be read. For a file that others can read,
// the error says how to correct its mode.
func unreadable(setting string, err error) error {
	if _, exposed := errors.AsType[*secret.ExposedError](err); exposed {
		return fmt.Errorf("%s: %w", setting, err)
	}
	return &CredentialsError{What: setting + ": " + err.Error(), Remedy: "give a file that this process can read", Err: err}
}
