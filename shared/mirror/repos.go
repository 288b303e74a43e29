package mirror

import (
	"context"
	"net/http"

	"mirrorfleet/shared/scoring"
)

// Maintainers lists the accounts with a maintainer's role in a repository; an
// unknown repository has none.
func (c *Client) Maintainers(ctx context.Context, repository string) (Answer[scoring.Maintainer], error) {
	var answer Answer[scoring.Maintainer]
	r := request{
		method: http.MethodGet,
		route:  "/api/v1/repos/{owner}/{repo}/maintainers",
		path:   "/api/v1/repos/" + repository + "/maintainers",
		limit:  limit{"MaxList", c.cfg.MaxList},
		decode: func(data []byte) (err error) {
			answer, err = decodeMaintainers(data, repository)
			return err
		},
	}
	if err := r.names(repository); err != nil {
		return answer, err
	}
	err := c.ask(ctx, r)
	return answer, err
}

// Health asks whether the mirror is there and is a mirror.
func (c *Client) Health(ctx context.Context) error {
	return c.ask(ctx, request{
		method: http.MethodGet,
		route:  "/api/v1/health",
		path:   "/api/v1/health",
		limit:  limit{"64 KiB", 64 << 10},
		decode: func(data []byte) error {
			_, err := document(data)
			return err
		},
	})
}
