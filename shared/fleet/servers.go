package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/secret"
)

// ConnectNATS is jobstream.Connect for a command. A failure that waiting cannot correct is
// wrong usage: a certificate, credentials, or a file of theirs.
func ConnectNATS(ctx context.Context, address, name string, cfg jobstream.ConnectConfig) (*nats.Conn, error) {
	nc, err := jobstream.Connect(ctx, address, name, cfg)
	_, wrongTLS := errors.AsType[*certs.Error](err)
	_, exposed := errors.AsType[*secret.ExposedError](err)
	if wrongTLS || exposed || jobstream.Unauthorized(err) {
		return nil, command.Usage("--nats: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("--nats: %w", err)
	}
	return nc, nil
}

// NewRedis is ratelimit.NewSecureClient for a command.
func NewRedis(address string, timeout time.Duration, files ratelimit.Files) (*redis.Client, error) {
	rdb, err := ratelimit.NewSecureClient(address, timeout, files)
	if err != nil {
		return nil, command.Usage("--redis: %w", err)
	}
	return rdb, nil
}

// AwaitRedis waits until Redis answers. A failure that waiting cannot correct is wrong
// usage.
func AwaitRedis(ctx context.Context, rdb *redis.Client, timeout time.Duration, log *slog.Logger) error {
	err := command.Await(ctx, log, "Redis", timeout, func(ctx context.Context) error {
		err := rdb.Ping(ctx).Err()
		refusal := ratelimit.Refusal(err)
		refused, is := errors.AsType[*ratelimit.RefusedError](refusal)
		_, tls := errors.AsType[*certs.Error](refusal)
		if tls || is && refused.Lasting {
			return command.UsageError{Err: refusal}
		}
		return cmp.Or(refusal, err) // the waiting function says that Redis does not answer
	})
	if err != nil {
		return fmt.Errorf("--redis: %w", err)
	}
	return nil
}
