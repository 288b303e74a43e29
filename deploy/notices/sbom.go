package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// bom is a CycloneDX document, as far as the grammars need one.
type bom struct {
	Format      string      `json:"bomFormat"`   //nolint:tagliatelle // CycloneDX's own names, here and below
	SpecVersion string      `json:"specVersion"` //nolint:tagliatelle // as above
	Version     int         `json:"version"`
	Components  []component `json:"components"`
}

type component struct {
	Type     string    `json:"type"`
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	Hashes   []hash    `json:"hashes"`
	Licences []licence `json:"licenses,omitempty"`
	PURL     string    `json:"purl"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type licence struct {
	Expression string `json:"expression"`
}

// listGrammars lists the source distributions, which the parser's runtime is
// one of, and the grammars that were built from them. A distribution has the hash
// of what was downloaded, a grammar that of its shared object.
func listGrammars(m *manifest.Manifest, notices map[string][]notice) ([]byte, error) {
	list := bom{Format: "CycloneDX", SpecVersion: "1.6", Version: 1}
	for _, p := range manifest.Packages() {
		c := component{
			Type:    "library",
			Name:    p.Name,
			Version: p.Version,
			Hashes:  sha256Of(p.SHA256),
			PURL:    fmt.Sprintf("pkg:pypi/%s@%s", p.Name, p.Version),
		}
		if p == manifest.Core {
			c.Licences = expression(notices[runtimeName])
		}
		list.Components = append(list.Components, c)
	}
	for _, g := range m.Languages {
		version := g.Revision
		if version == "" { // a distribution of its own
			version = manifest.CSharp.Version
		}
		repository := strings.TrimPrefix(g.Repository, "https://github.com/")
		list.Components = append(list.Components, component{
			Type:     "library",
			Name:     repository + "#" + g.Language,
			Version:  version,
			Hashes:   sha256Of(g.SHA256),
			Licences: expression(notices[g.Language]),
			PURL:     fmt.Sprintf("pkg:github/%s@%s", strings.ToLower(repository), version),
		})
	}
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the list of grammars: %w", err)
	}
	return append(data, '\n'), nil
}

func sha256Of(sum string) []hash { return []hash{{"SHA-256", sum}} }

// expression joins the licences of all parts, as SPDX has it.
func expression(notices []notice) []licence {
	var names []string
	for _, n := range notices {
		if len(names) == 0 || names[len(names)-1] != n.Licence {
			names = append(names, n.Licence)
		}
	}
	return []licence{{strings.Join(names, " AND ")}}
}
