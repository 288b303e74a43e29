package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
)

// Files is what the mirror has stored of one pull request's files.
type Files struct {
	HeadSHA, BaseSHA, MergeBaseSHA string
	// Stored says that the files are complete and will not change.
	Stored    bool
	Files     []scoring.File
	Malformed []job.Malformed
}

// Files fetches the files of a pull request, texts and all.
func (c *Client) Files(ctx context.Context, repository string, number int) (Files, error) {
	owner, name, ok := strings.Cut(repository, "/")
	if !ok {
		return Files{}, fmt.Errorf("mirror: repository %q, want owner/repo", repository)
	}
	var files Files
	err := c.ask(ctx, request{
		method: http.MethodGet, route: "/api/v1/pulls/{owner}/{repo}/{number}/files",
		path: "/api/v1/pulls/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + "/" + strconv.Itoa(number) + "/files",
		most: c.cfg.MaxFiles,
		decode: func(data []byte) (err error) {
			files, err = decodeFiles(data)
			return err
		},
	})
	return files, err
}

func decodeFiles(data []byte) (Files, error) {
	top, err := whole(data)
	if err != nil {
		return Files{}, err
	}
	r := &reader{item: top}
	take(r, top.lowered, "repo_full_name")
	take(r, top.count, "pr_number")
	if !top.has("pr_number") && r.err == nil {
		r.err = errors.New("pr_number is missing")
	}
	files := Files{
		HeadSHA:      take(r, top.text, "head_sha"),
		BaseSHA:      take(r, top.text, "base_sha"),
		MergeBaseSHA: take(r, top.text, "merge_base_sha"),
		Stored:       top.truthy("scoring_data_stored"),
	}
	items := take(r, top.list, "files")
	if r.err != nil {
		return Files{}, r.err
	}
	files.Files, files.Malformed = decodeFileItems(items)
	return files, nil
}

func decodeFileItems(items []json.RawMessage) ([]scoring.File, []job.Malformed) {
	files, malformed := make([]scoring.File, 0, len(items)), []job.Malformed(nil)
	for i, raw := range items {
		it, err := object(raw)
		var file scoring.File
		if err == nil {
			file, err = decodeFile(it)
		}
		if err != nil {
			name, nameErr := it.text("filename")
			if nameErr != nil || name == "" {
				name = fmt.Sprintf("file %d", i+1)
			}
			malformed = append(malformed, job.Malformed{Item: fmt.Sprintf("%.200s", name), Error: err.Error()})
			continue
		}
		files = append(files, file)
	}
	return files, malformed
}

func decodeFile(it item) (scoring.File, error) {
	r := &reader{item: it}
	file := scoring.File{
		Filename:         take(r, it.wanted, "filename"),
		PreviousFilename: take(r, it.text, "previous_filename"),
		Status:           take(r, it.listed, "status"),
		Additions:        take(r, it.count, "additions"),
		Deletions:        take(r, it.count, "deletions"),
		Changes:          take(r, it.count, "changes"),
		Binary:           it.truthy("is_binary"),
		Head:             take(r, it.content, "head_content"),
		Base:             take(r, it.content, "base_content"),
	}
	return file, r.err
}

// content is a file's text, nil when it is absent, null or no text.
func (it item) content(field string) (*string, error) {
	if !isText(it[field]) {
		return nil, nil //nolint:nilnil // nil is the absent text
	}
	s, err := it.text(field)
	return &s, err
}
