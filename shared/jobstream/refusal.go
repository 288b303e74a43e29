package jobstream

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/jobstream/kv"
)

// RefusedError says that NATS answers, and refuses the request.
type RefusedError struct {
	// Code is JetStream's err_code, or one of the words below.
	Code string
	// Remedy says how to correct it.
	Remedy string
	Err    error
}

func (e *RefusedError) Error() string { return "NATS refuses: " + e.Err.Error() + ": " + e.Remedy }

func (e *RefusedError) Unwrap() error { return e.Err }

// Codes of refusals that JetStream has no number for.
const (
	CodeUser       = "authorization"
	CodePermission = "permission"
	CodeNoStream   = "no_stream"
	CodeTLS        = "tls"
	// CodeUnconfirmed: the stream answers, and confirms no write.
	CodeUnconfirmed = "unconfirmed"
)

// freeDisk is the remedy for a stream that has failed a write. nats-server keeps such a
// stream read-only until the server is restarted.
const freeDisk = "free some of the server's disk, and restart the server: a stream to which a write has failed takes no more until then"

// JetStream's error codes that the client library does not name; nats-server's
// server/errors.json lists them.
const (
	accountFull   jetstream.ErrorCode = 10002
	noResources   jetstream.ErrorCode = 10023
	memoryFull    jetstream.ErrorCode = 10028
	storageFull   jetstream.ErrorCode = 10047
	storeFailed   jetstream.ErrorCode = 10077
	tooFewServers jetstream.ErrorCode = 10005
	noCluster     jetstream.ErrorCode = 10074
	noLeader      jetstream.ErrorCode = 10008
	notLeader     jetstream.ErrorCode = 10009
)

// Refusal makes a *RefusedError of an error by which NATS refuses, and a *certs.Error of
// one of TLS. It is nil for any other failure: NATS does not answer then. It is also nil
// for two regular answers: the value has changed meanwhile, and there is no such value.
func Refusal(err error) error {
	var api *jetstream.APIError
	var old *nats.APIError // of the library's older interface, by which ReadLeader asks
	known, is := errors.AsType[*RefusedError](err)
	switch {
	case is:
		return known
	case err == nil, kv.Conflict(err), overtaken(err), errors.Is(err, jetstream.ErrMsgNotFound), errors.Is(err, jetstream.ErrKeyNotFound):
		return nil
	case Unauthorized(err):
		return &RefusedError{CodeUser, "give the user of the role, with its password file, --nats-creds or --nats-nkey", err}
	case errors.Is(err, nats.ErrPermissionViolation):
		return &RefusedError{CodePermission, "give the user what deploy/nats/settings.conf gives its role", err}
	case errors.As(err, &api):
		return &RefusedError{fmt.Sprint(api.ErrorCode), remedy(api.ErrorCode, api.Description), err}
	case errors.As(err, &old):
		return &RefusedError{strconv.Itoa(int(old.ErrorCode)), remedy(jetstream.ErrorCode(old.ErrorCode), old.Description), err}
	case missing(err):
		const remedy = "no stream takes it: it is gone (a producer declares it again), or has no leader (look at the cluster's servers)"
		return &RefusedError{CodeNoStream, remedy, err}
	}
	return certs.Explain(err, setting)
}

// remedy says how to correct a refusal of JetStream.
func remedy(code jetstream.ErrorCode, description string) string {
	switch code { //nolint:exhaustive // the others have no remedy of their own
	case accountFull, noResources, memoryFull, storageFull:
		return "raise max_file_store (deploy/nats/settings.conf) or the account's limit, and give the store a disk that holds it"
	case storeFailed:
		if strings.HasPrefix(description, "maximum ") {
			return "the stream has a limit that is not the product's, and has reached it: the next producer that starts takes it away"
		}
		return freeDisk
	case jetstream.JSErrCodeStreamNotFound, jetstream.JSErrCodeConsumerNotFound:
		return "a producer declares it again, empty; if it held anything: docs/backup.md, After a loss"
	case jetstream.JSErrCodeJetStreamNotEnabled, jetstream.JSErrCodeJetStreamNotEnabledForAccount:
		return "switch JetStream on for the server and the user's account; a server that cannot write switches it off: " + freeDisk
	case noCluster:
		return "the server is none of a cluster, and keeps one copy: give --replicas 1, or start a cluster " +
			"(docs/scale.md, NATS: one server or three)"
	case tooFewServers, noLeader, notLeader:
		return "start the other servers of the cluster; it also says so for some seconds while it elects a leader"
	}
	return "see nats-server's log"
}

// errAway marks the errors of a NATS that does not answer.
var errAway = errors.New("NATS does not answer")

// Trouble says in one sentence what is wrong with NATS: it refuses, or it does not
// answer. It is nil for nil. An error of Trouble's own is returned as it is.
func Trouble(err error) error {
	if err == nil {
		return nil
	}
	if refused := Refusal(err); refused != nil {
		return refused
	}
	if errors.Is(err, errAway) {
		return err
	}
	return fmt.Errorf("%w: %w", errAway, err)
}

// Code is the word for a refusal in metrics and logs; "" if NATS does not answer.
func Code(err error) string {
	if refused, is := errors.AsType[*RefusedError](err); is {
		return refused.Code
	}
	if _, is := errors.AsType[*certs.Error](err); is {
		return CodeTLS
	}
	return ""
}

// notConnected says why the last attempt to connect failed, if the client knows. Without
// that reason, a server that refuses this process would look like one that is away.
func notConnected(last error) error {
	if refused := Refusal(last); refused != nil {
		return refused
	}
	if last == nil {
		return Trouble(errors.New("not connected"))
	}
	return Trouble(fmt.Errorf("not connected: %w", last))
}
