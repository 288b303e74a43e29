package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"path/filepath"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

//go:embed grammars.json texts
var embedded embed.FS

// runtimeName is the parser's runtime in grammars.json.
const runtimeName = "runtime"

// notice is the licence text of one grammar, or of a part of it.
type notice struct {
	Licence   string   `json:"licence"` // its SPDX identifier, the name of a file in texts
	Part      string   `json:"part"`    // "" is all that no other notice names
	Copyright []string `json:"copyright"`
}

// readNotices reads grammars.json.
func readNotices() (map[string][]notice, error) {
	data, err := embedded.ReadFile("grammars.json")
	if err != nil {
		return nil, fmt.Errorf("reading the grammars' notices: %w", err)
	}
	var notices map[string][]notice
	if err := json.Unmarshal(data, &notices); err != nil {
		return nil, fmt.Errorf("grammars.json: %w", err)
	}
	return notices, nil
}

// writeGrammars writes one text for each grammar and one for the runtime.
func writeGrammars(out string, m *manifest.Manifest, notices map[string][]notice) error {
	names := []string{runtimeName}
	for _, g := range m.Languages {
		names = append(names, g.Language)
	}
	for _, name := range names {
		text, err := licenceText(notices[name])
		if err != nil {
			return fmt.Errorf("grammar %s: %w", name, err)
		}
		if err := writeFile(filepath.Join(out, name+".txt"), text); err != nil {
			return err
		}
	}
	return nil
}

// licenceText puts notices and the words of their licences together.
func licenceText(notices []notice) ([]byte, error) {
	if len(notices) == 0 {
		return nil, fmt.Errorf("no notice in grammars.json")
	}
	var b bytes.Buffer
	for i, n := range notices {
		text, err := embedded.ReadFile("texts/" + n.Licence + ".txt")
		if err != nil {
			return nil, fmt.Errorf("no text of licence %s: %w", n.Licence, err)
		}
		if i > 0 {
			b.WriteString("\n----\n\n")
		}
		if n.Part != "" {
			fmt.Fprintf(&b, "Of %s:\n\n", n.Part)
		}
		for _, line := range n.Copyright {
			fmt.Fprintln(&b, line)
		}
		if len(n.Copyright) > 0 {
			b.WriteByte('\n')
		}
		b.Write(text)
	}
	return b.Bytes(), nil
}
