package mirror

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"mirrorfleet/shared/scoring"
)

// Maintainers lists the accounts with a maintainer's role in a repository; an
// unknown repository has none.
func (c *Client) Maintainers(ctx context.Context, repository string) (Answer[scoring.Maintainer], error) {
	owner, name, ok := strings.Cut(repository, "/")
	if !ok {
		return Answer[scoring.Maintainer]{}, fmt.Errorf("mirror: repository %q, want owner/repo", repository)
	}
	var answer Answer[scoring.Maintainer]
	err := c.ask(ctx, request{
		method: http.MethodGet, route: "/api/v1/repos/{owner}/{repo}/maintainers",
		path: "/api/v1/repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + "/maintainers",
		most: c.cfg.MaxList,
		decode: func(data []byte) (err error) {
			answer, err = decodeMaintainers(data)
			return err
		},
	})
	return answer, err
}

func decodeMaintainers(data []byte) (Answer[scoring.Maintainer], error) {
	var answer Answer[scoring.Maintainer]
	top, err := whole(data)
	if err != nil {
		return answer, err
	}
	r := &reader{item: top}
	take(r, top.lowered, "repo_full_name")
	take(r, top.instant, "generated_at")
	items := take(r, top.list, "maintainers")
	if r.err != nil {
		return answer, r.err
	}
	answer.Items, answer.Malformed = decodeEach(items, "github_id", decodeMaintainer)
	return answer, nil
}

func decodeMaintainer(it item) (scoring.Maintainer, error) {
	r := &reader{item: it}
	m := scoring.Maintainer{
		GitHubID:    take(r, it.id, "github_id"),
		Login:       take(r, it.text, "login"),
		Association: take(r, it.text, "association"),
	}
	if r.err == nil && !it.has("association") {
		r.err = it.wrong("association", "a role")
	}
	return m, r.err
}

// Health asks whether the mirror is there and is a mirror.
func (c *Client) Health(ctx context.Context) error {
	const most = 64 << 10
	return c.ask(ctx, request{
		method: http.MethodGet, route: "/api/v1/health", path: "/api/v1/health", most: most,
		decode: func(data []byte) error {
			_, err := whole(data)
			return err
		},
	})
}
