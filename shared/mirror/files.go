package mirror

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring/tokens"
)

// Files is what the mirror has stored of one pull request's files.
type Files struct {
	HeadSHA, BaseSHA, MergeBaseSHA string
	// Stored is the mirror's word that it has the files. It does not say that
	// they are whole: after a merge, and in its nightly backfill, the mirror
	// writes them again, and still says so.
	Stored bool
	// Digest is the SHA-256 of the answer's bytes, in hexadecimal: equal digests
	// are equal answers.
	Digest string
	// At is when the mirror sent it, by its own clock; by this machine's where it
	// does not say.
	At        time.Time
	Files     []tokens.File
	Malformed []job.Malformed
}

// Files fetches the files of a pull request, texts and all.
func (c *Client) Files(ctx context.Context, repository string, number int) (Files, error) {
	var files Files
	r := request{
		method: http.MethodGet,
		route:  "/api/v1/pulls/{owner}/{repo}/{number}/files",
		path:   "/api/v1/pulls/" + repository + "/" + strconv.Itoa(number) + "/files",
		limit:  limit{"MaxFiles", c.cfg.MaxFiles},
		decode: func(data []byte) (err error) {
			files, err = decodeFiles(data, repository, number)
			return err
		},
		sent:  func(at time.Time) { files.At = at },
		holds: func() (items, malformed int) { return len(files.Files), len(files.Malformed) },
	}
	if err := r.names(repository); err != nil {
		return files, err
	}
	err := c.ask(ctx, r)
	return files, err
}
