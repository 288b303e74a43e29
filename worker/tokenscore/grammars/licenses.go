package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// definitionsFile names the repository and revision from which the pack took each grammar.
const definitionsFile = "sources/language_definitions.json"

// noticeFile lists every grammar with its origin and licence. The source
// distributions carry the names of the grammars' licences, not their texts.
const noticeFile = "LICENSES.md"

// origin is where a grammar comes from and under which licence.
type origin struct{ repository, revision, license string }

// licenses writes the licence files into the stage: those of the three source
// distributions, and the notice of all grammars.
func (b *builder) licenses() error {
	for _, p := range manifest.Packages() {
		name := "LICENSE." + p.Name
		from := filepath.Join(b.unpacked(p), licenseFile)
		if !exists(from) {
			from = filepath.Join(b.out, name) // not unpacked: nothing of it was built
		}
		if err := link(from, filepath.Join(b.stage, name)); err != nil {
			return err
		}
		b.made.Licenses = append(b.made.Licenses, name)
	}
	var notice bytes.Buffer
	fmt.Fprintf(&notice, "# Grammars and their licences\n\n| language | licence | source | revision |\n|---|---|---|---|\n")
	for _, g := range b.made.Languages {
		fmt.Fprintf(&notice, "| %s | %s | %s | %s |\n", g.Language, g.License, g.Repository, g.Revision)
	}
	b.made.Licenses = append(b.made.Licenses, noticeFile)
	//nolint:gosec // for everybody
	if err := os.WriteFile(filepath.Join(b.stage, noticeFile), notice.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the notice: %w", err)
	}
	return nil
}

// licenseLine is how the pack's README tells a grammar's licence.
var licenseLine = regexp.MustCompile(`(?m)^- \[([a-z_/]+)\]\(([^)]+)\) - (.+)$`)

// readOrigins reads the origin and licence of each language to build. A grammar without a
// licence fails the build, because it could not be distributed.
func (b *builder) readOrigins(languages []string) (map[string]origin, error) {
	if len(languages) == 0 {
		return nil, nil //nolint:nilnil // nothing to look up
	}
	readme, err := os.ReadFile(filepath.Join(b.unpacked(manifest.Pack), "README.md"))
	if err != nil {
		return nil, fmt.Errorf("reading the grammars' licences: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(b.unpacked(manifest.Pack), definitionsFile))
	if err != nil {
		return nil, fmt.Errorf("reading the grammars' origins: %w", err)
	}
	var definitions map[string]struct {
		Repo string `json:"repo"`
		Rev  string `json:"rev"`
	}
	if err := json.Unmarshal(data, &definitions); err != nil {
		return nil, fmt.Errorf("%s: %w", definitionsFile, err)
	}
	// A repository of several grammars is listed once, under one's name.
	licences := make(map[string]origin)
	for _, found := range licenseLine.FindAllSubmatch(readme, -1) {
		o := origin{repository: string(found[2]), license: string(found[3])}
		licences[string(found[1])], licences[o.repository] = o, o
	}
	origins := make(map[string]origin, len(languages))
	for _, language := range languages {
		definition := definitions[language]
		o, found := licences[language]
		if !found {
			o, found = licences[definition.Repo]
		}
		if !found {
			return nil, fmt.Errorf("grammar %s: the source distribution names no licence", language)
		}
		if packageOf(language) == manifest.Pack && definition.Rev != "" {
			o.repository, o.revision = definition.Repo, definition.Rev
		}
		origins[language] = o
	}
	return origins, nil
}
