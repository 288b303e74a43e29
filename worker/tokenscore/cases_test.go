package tokenscore_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing/fstest"

	"mirrorfleet/shared/scoring/tokens"
)

// parityEnv names a folder whose tokens/ is used instead of the project's own cases.
const parityEnv = "MIRRORFLEET_PARITY"

// loadedCSharp are the figures of C# with its grammar in use.
const loadedCSharp = "csharp, loaded"

// languageCases are one language's cases in the order listed.
type languageCases struct {
	key      string // as in expected.json
	language string // and the folder
	cases    []tokenCase
	together together
}

type tokenCase struct {
	name string
	file tokens.File
	want expectedFile
}

type expectedFile struct {
	Path      string            `json:"path"`
	Status    string            `json:"status"`
	Changes   int               `json:"changes"`
	Additions int               `json:"additions"`
	Deletions int               `json:"deletions"`
	Method    tokens.Method     `json:"method"`
	Test      bool              `json:"test"`
	Score     float64           `json:"score"`
	Nodes     int               `json:"nodes"`
	Breakdown *tokens.Breakdown `json:"breakdown"`
	BaseScore float64           `json:"base_score"`
}

type together struct {
	BaseScore        float64 `json:"base_score"`
	TokenScore       float64 `json:"token_score"`
	StructuralCount  int     `json:"structural_count"`
	StructuralScore  float64 `json:"structural_score"`
	LeafCount        int     `json:"leaf_count"`
	LeafScore        float64 `json:"leaf_score"`
	TotalNodesScored int     `json:"total_nodes_scored"`
}

// readCases reads the cases of the folder that the environment names, or the
// project's own. Every error names the folder.
func readCases() ([]languageCases, error) {
	folder := filepath.Join("testdata", "tokens.tar.gz")
	read := func() (fs.FS, error) { return unpackCases(folder) }
	if dir := os.Getenv(parityEnv); dir != "" {
		folder = filepath.Join(dir, "tokens")
		read = func() (fs.FS, error) { return os.DirFS(folder), nil }
	}
	files, err := read()
	if err == nil {
		var cases []languageCases
		if cases, err = parseCases(files); err == nil {
			return cases, nil
		}
	}
	return nil, fmt.Errorf("token cases in %s: %w", folder, err)
}

func unpackCases(archive string) (fs.FS, error) {
	data, err := os.ReadFile(archive)
	if err != nil {
		return nil, err
	}
	zipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	files := make(fstest.MapFS)
	for entries := tar.NewReader(zipped); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(entries)
		if err != nil {
			return nil, err
		}
		files[path.Clean(header.Name)] = &fstest.MapFile{Data: text}
	}
}

func parseCases(files fs.FS) ([]languageCases, error) {
	data, err := fs.ReadFile(files, "expected.json")
	if err != nil {
		return nil, err
	}
	entries, err := ordered(data)
	if err != nil {
		return nil, fmt.Errorf("expected.json: %w", err)
	}
	if len(entries) == 0 {
		return nil, errors.New("expected.json has no language: want at least one")
	}
	all := make([]languageCases, 0, len(entries))
	for _, entry := range entries {
		l, err := parseLanguageCases(files, entry)
		if err != nil {
			return nil, fmt.Errorf("expected.json: %q: %w", entry.key, err)
		}
		all = append(all, l)
	}
	return all, nil
}

func parseLanguageCases(files fs.FS, entry keyValue) (languageCases, error) {
	l := languageCases{key: entry.key, language: entry.key}
	if entry.key == loadedCSharp {
		l.language = "csharp"
	}
	if !tokens.KnownLanguage(l.language) {
		return l, errors.New("no such language")
	}
	var parts struct {
		Files    json.RawMessage `json:"files"`
		Together *together       `json:"together"`
	}
	if err := json.Unmarshal(entry.value, &parts); err != nil {
		return l, err
	}
	cases, err := ordered(parts.Files)
	switch {
	case err != nil:
		return l, fmt.Errorf("files: %w", err)
	case len(cases) == 0 || parts.Together == nil:
		return l, errors.New("want files and together")
	}
	l.together = *parts.Together
	for _, c := range cases {
		tc := tokenCase{name: c.key}
		if err := json.Unmarshal(c.value, &tc.want); err != nil {
			return l, fmt.Errorf("%s: %w", c.key, err)
		}
		if tc.file, err = caseFile(files, l.language, c.key, tc.want); err != nil {
			return l, fmt.Errorf("%s: %w", c.key, err)
		}
		l.cases = append(l.cases, tc)
	}
	return l, nil
}

func caseFile(files fs.FS, language, name string, want expectedFile) (tokens.File, error) {
	f := tokens.File{
		Filename: want.Path, Status: want.Status, Changes: want.Changes, Additions: want.Additions, Deletions: want.Deletions,
	}
	text := func(side string) (*string, error) {
		found, err := fs.Glob(files, language+"/"+name+"."+side+".*")
		if err != nil {
			return nil, err
		}
		if len(found) != 1 {
			return nil, fmt.Errorf("%d files %s/%s.%s.*: want one", len(found), language, name, side)
		}
		data, err := fs.ReadFile(files, found[0])
		content := string(data)
		return &content, err
	}
	var err error
	if f.Head, err = text("head"); err != nil || want.Status == "added" {
		return f, err
	}
	f.Base, err = text("base")
	return f, err
}

type keyValue struct {
	key   string
	value json.RawMessage
}

// ordered reads an object and keeps the order of its keys: that of the files
// decides the last bits of a pull request's sums.
func ordered(data []byte) ([]keyValue, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, fmt.Errorf("want an object: %w", errors.Join(err, errors.New("no {")))
	}
	var entries []keyValue
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		e := keyValue{key: key.(string)}
		if err := d.Decode(&e.value); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	_, err := d.Token()
	return entries, err
}
