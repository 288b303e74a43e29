package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"

	"golang.org/x/net/html"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// indexURL is the package index. PIP_INDEX_URL is pip's own variable, which machines behind
// a mirror of PyPI already set.
func indexURL() string {
	if index := os.Getenv("PIP_INDEX_URL"); index != "" {
		return index
	}
	return "https://pypi.org/simple"
}

// Both forms that an index may answer in: PEP 691's, and the older page of links.
const (
	listType = "application/vnd.pypi.simple.v1+json"
	accept   = listType + ", text/html;q=0.5"
)

// find asks an index for the address of a source distribution. It trusts the index with
// nothing else: this program holds the hash.
func find(ctx context.Context, client *http.Client, index string, p manifest.Package) (link *url.URL, err error) {
	base, err := url.Parse(strings.TrimSuffix(index, "/") + "/" + p.Name + "/")
	if err != nil {
		return nil, errors.New("the package index is not a URL") // what it is may hold a password
	}
	answer, err := get(ctx, client, base, accept)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	page, err := io.ReadAll(io.LimitReader(answer.Body, largest))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", base.Redacted(), err)
	}
	for _, found := range links(page) {
		link, err := base.Parse(found)
		// An address may be relative, and may have a hash behind it (#sha256=…).
		if err == nil && path.Base(link.Path) == p.File {
			return link, nil
		}
	}
	return nil, fmt.Errorf("%s lists no %s", base.Redacted(), p.File)
}

// links are the addresses on an index's page, in either format.
func links(page []byte) []string {
	var list struct {
		Files []struct {
			URL string `json:"url"`
		} `json:"files"`
	}
	var found []string
	if json.Unmarshal(page, &list) == nil {
		for _, f := range list.Files {
			found = append(found, f.URL)
		}
		return found
	}
	// Not every index answers in JSON: private mirrors of PyPI often have only the page.
	tokens := html.NewTokenizer(strings.NewReader(string(page)))
	for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
		for _, attribute := range tokens.Token().Attr {
			if attribute.Key == "href" {
				found = append(found, attribute.Val)
			}
		}
	}
	return found
}

// get requests an address. The caller closes the body.
func get(ctx context.Context, client *http.Client, from *url.URL, accept string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", from.Redacted(), err)
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the address, without its password
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s answers %s", from.Redacted(), answer.Status), answer.Body.Close())
	}
	return answer, nil
}
