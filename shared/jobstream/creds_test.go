package jobstream_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// operated is a server whose users have JWTs, with the keys that sign them.
type operated struct {
	t       *testing.T
	url     string
	account nkeys.KeyPair
}

func startOperated(t *testing.T) *operated {
	t.Helper()
	operator, account := must.Get(nkeys.CreateOperator())(t), must.Get(nkeys.CreateAccount())(t)
	operatorJWT := must.Get(jwt.NewOperatorClaims(must.Get(operator.PublicKey())(t)).Encode(operator))(t)
	id := must.Get(account.PublicKey())(t)
	accountJWT := must.Get(jwt.NewAccountClaims(id).Encode(operator))(t)
	path := filepath.Join(t.TempDir(), "nats.conf")
	text := fmt.Sprintf("listen: \"127.0.0.1:-1\"\noperator: %s\nresolver: MEMORY\nresolver_preload: { %s: %s }\n", operatorJWT, id, accountJWT)
	must.Do(t, os.WriteFile(path, []byte(text), 0o600))
	options := must.Get(server.ProcessConfigFile(path))(t)
	options.NoSigs, options.NoLog = true, true
	s := jobstreamtest.Run(t, options)
	return &operated{t, s.ClientURL(), account}
}

// creds writes a user's credentials that expire at an instant.
func (o *operated) creds(until time.Time) (path, seed string) {
	o.t.Helper()
	user := must.Get(nkeys.CreateUser())(o.t)
	claims := jwt.NewUserClaims(must.Get(user.PublicKey())(o.t))
	claims.Expires = until.Unix()
	secret := must.Get(user.Seed())(o.t)
	text := must.Get(jwt.FormatUserConfig(must.Get(claims.Encode(o.account))(o.t), secret))(o.t)
	path = filepath.Join(o.t.TempDir(), "user.creds")
	must.Do(o.t, os.WriteFile(path, text, 0o600))
	return path, string(secret)
}

// TestCreds: a user's file is valid until it expires, and only its owner may read it.
// Either fault is reported at once, without the file's content.
func TestCreds(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	connect := func(path string) error {
		nc, err := jobstream.Connect(t.Context(), o.url, "test", jobstream.ConnectConfig{Log: jobstreamtest.Quiet(), Files: jobstream.Files{Creds: path}})
		if err == nil {
			nc.Close()
		}
		return err
	}
	path, seed := o.creds(time.Now().Add(time.Hour))
	must.Check(t, connect(path))

	must.Do(t, os.Chmod(path, 0o644))
	if err := connect(path); err == nil || !strings.Contains(err.Error(), "--nats-creds: "+path) || !strings.Contains(err.Error(), "0644") || strings.Contains(err.Error(), seed) {
		t.Errorf("a file for everybody: %v, want it refused with its mode", err)
	}
	old, seed := o.creds(time.Now().Add(-time.Minute))
	err := connect(old)
	if !jobstream.Unauthorized(err) || !strings.Contains(err.Error(), "has expired") || !strings.Contains(err.Error(), old) || strings.Contains(err.Error(), seed) {
		t.Errorf("expired credentials: %v, want them refused by name", err)
	}
	foreign := &operated{t, "", must.Get(nkeys.CreateAccount())(t)}
	stranger, _ := foreign.creds(time.Now().Add(time.Hour))
	var missing *jobstream.CredentialsError
	if err := connect(stranger); !jobstream.Unauthorized(err) || errors.As(err, &missing) {
		t.Errorf("another account's: %v, want the server's refusal", err)
	}
}

// TestPasswordFile: any password is valid, even with a comma. In a URL a comma separates
// servers: the client once took the part after it for another server, and errors showed
// the part before it.
func TestPasswordFile(t *testing.T) {
	t.Parallel()
	const password = "SEC,RET@:/?%;"
	s := jobstreamtest.Run(t, &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, Username: "worker", Password: password})
	file := filepath.Join(t.TempDir(), "password")
	must.Do(t, os.WriteFile(file, []byte(password+"\n"), 0o600))
	connect := func(user string) error {
		nc, err := jobstream.Connect(t.Context(), "nats://"+user+"@"+s.Addr().String(), "test", jobstream.ConnectConfig{
			Log: jobstreamtest.Quiet(), Files: jobstream.Files{Password: file},
		})
		if err == nil {
			nc.Close()
		}
		return err
	}
	must.Check(t, connect("worker"))
	for user, want := range map[string]string{"other": "refuses the credentials", "worker:OLD": "exclude each other"} {
		err := connect(user)
		if !jobstream.Unauthorized(err) || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "SEC") || strings.Contains(err.Error(), "OLD") {
			t.Errorf("%s: %v, want %q and no secret", user, err, want)
		}
	}
}
