package jobstream

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mirrorfleet/shared/job"
)

// suitsTimeout bounds the look at start: a connection, and two round trips.
const suitsTimeout = 5 * time.Second

// RoleError says that a user may not do what the process's role needs.
type RoleError struct {
	Address string // without its password
	Role    Role
	Denied  []string
}

func (e *RoleError) Error() string {
	const shown = 3
	list := e.Denied[:min(shown, len(e.Denied))]
	more := ""
	if n := len(e.Denied) - len(list); n > 0 {
		more = fmt.Sprintf(", and %d more", n)
	}
	return fmt.Sprintf("the user at %s may not do what a %s needs (%s%s): name the %s's own user, or give this one the rights of "+
		"deploy/nats/settings.conf", e.Address, e.Role, strings.Join(list, ", "), more, e.Role)
}

// Suits refuses a user that belongs to another role, by a *RoleError. It asks for one right
// that the role has alone, and for all of them only if that one is missing. If it cannot ask
// now, for example because a server is still starting, it refuses nothing.
func Suits(ctx context.Context, address string, role Role, files Files) error {
	asking, cancel := context.WithTimeout(ctx, suitsTimeout)
	defer cancel()
	own := "$JS.API.STREAM.CREATE." + job.StreamJobs
	if role == RoleWorker {
		own = onConsumer("INFO", job.StreamWarm, job.ConsumerWarm)
	}
	nc, err := connectOnce(address, "role-"+string(role), files)
	if err != nil {
		return nil // the process's own connection says what is wrong
	}
	defer nc.Close()
	q := &questions{nc: nc, importing: true} // nobody listens to what the user's account does not import
	if there, err := q.mayPublish(asking, "$JS.API.INFO"); err != nil || !there {
		return nil // every role may ask this, once JetStream is there
	}
	if may, err := q.mayPublish(asking, own); err != nil || may {
		return nil
	}
	found, err := TryRole(ctx, address, role, files)
	if err != nil || len(found.Denied) == 0 {
		return nil
	}
	return &RoleError{Address: Redact(address), Role: role, Denied: found.Denied}
}
