package ratelimit

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/certs"
)

// RefusedError says that Redis answers, and refuses what was asked.
type RefusedError struct {
	// Code is the first word of Redis' answer, such as OOM.
	Code string
	// Remedy says what mends it.
	Remedy string
	// Lasting says that no wait mends it: the user, its password or its rights.
	Lasting bool
	Err     error

	reply string
}

func (e *RefusedError) Error() string { return "Redis refuses: " + e.reply + ": " + e.Remedy }

func (e *RefusedError) Unwrap() error { return e.Err }

// Refusal is what Redis refuses, and an error of TLS as certs explains it. It is nil
// for any other failure, which says that Redis does not answer.
func Refusal(err error) error {
	if err == nil || errors.Is(err, redis.Nil) {
		return nil
	}
	if errors.Is(err, errReply) {
		return &RefusedError{
			Code:   "REPLY",
			Err:    err,
			reply:  "it answered what the limiter's script never returns",
			Remedy: "find out what listens at " + setting,
		}
	}
	said, is := errors.AsType[redis.Error](err)
	if !is {
		return certs.Explain(err, setting)
	}
	reply, _, _ := strings.Cut(said.Error(), " script: ") // the script's digest and line are nobody's business
	code, _, _ := strings.Cut(reply, " ")
	refused := &RefusedError{
		Code:   code,
		Remedy: remedies()[code],
		Err:    err,
		reply:  strings.TrimSuffix(reply, "."),
	}
	switch {
	case redis.IsAuthError(said):
		refused.Remedy, refused.Lasting = "give the user and its password in "+setting+", or the password by --redis-password-file", true
	case redis.IsPermissionError(said):
		refused.Remedy, refused.Lasting = "give the user what deploy/redis/users.acl gives its role", true
	case strings.Contains(said.Error(), "unknown command"):
		refused.Remedy = "allow EVAL and EVALSHA to the user, and do not rename them"
	case refused.Remedy == "":
		refused.Remedy = "see Redis' log"
	}
	return refused
}

// remedies say what mends a refusal, by its code.
func remedies() map[string]string {
	return map[string]string{
		"OOM":         "raise maxmemory, or find out who else fills it: the fleet needs a few kB",
		"READONLY":    "it is a replica: point " + setting + " at the primary",
		"MASTERDOWN":  "it is a replica without its primary: point " + setting + " at the primary",
		"LOADING":     "wait: it reads its files, and works when it has",
		"MISCONF":     "give its disk room: it takes no writes while it cannot save",
		"BUSY":        "end the script that holds it up: SCRIPT KILL",
		"NOREPLICAS":  "bring its replicas back: it wants some before it takes a write (min-replicas-to-write)",
		"CLUSTERDOWN": "bring the other nodes of the cluster back",
	}
}

// errAway begins the sentence on a Redis that does not answer.
var errAway = errors.New("Redis does not answer") //nolint:staticcheck // it is a name

// Trouble says in a sentence what is wrong with Redis: that it refuses, or that it
// does not answer. It is nil for nil, and what it has said it does not say twice.
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

// codeTLS stands for a connection that is not made for a certificate.
const codeTLS = "TLS"

// Code is the word by which metrics and logs tell refusals apart; "" where Redis does
// not answer.
func Code(err error) string {
	if refused, is := errors.AsType[*RefusedError](err); is {
		return refused.Code
	}
	if _, is := errors.AsType[*certs.Error](err); is {
		return codeTLS
	}
	return ""
}
