package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// entry is one setting of a configuration file.
type entry struct {
	section string // "" at the top, else such as "worker" or "producer.run"
	key     string
	line    int // in the file, from 1
	list    bool
	values  []value // one, unless it is a list
	// isSection marks the section itself; its settings are entries of their own.
	isSection bool
}

// value is one value: its text, and the type that YAML sees in it.
type value struct{ text, tag string }

// The types of YAML.
const (
	tagText    = "!!str"
	tagInt     = "!!int"
	tagFloat   = "!!float"
	tagBool    = "!!bool"
	tagInstant = "!!timestamp"
	tagNull    = "!!null"
)

// parseConfig reads a file's settings in their order, each with its line. It refuses the
// parts of YAML that settings do not need: aliases, several documents, nested lists. A
// repeated key is an error too; YAML libraries disagree about which one counts.
func parseConfig(data []byte) ([]entry, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, more yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil // nothing but comments
	case err != nil:
		return nil, fmt.Errorf("reading it as YAML: %w", err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("want one YAML document: remove everything after the line ---")
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == tagNull {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: want settings such as \"log-level: info\", one a line", root.Line)
	}
	p := parser{lines: map[string]int{}}
	err := p.mapping("", root)
	return p.entries, err
}

type parser struct {
	entries []entry
	lines   map[string]int // of each key by its section
}

// mapping reads the settings of a section and collects their errors.
func (p *parser) mapping(section string, m *yaml.Node) error {
	var errs []error
	for i := 0; i+1 < len(m.Content); i += 2 {
		errs = append(errs, p.pair(section, m.Content[i], m.Content[i+1]))
	}
	return errors.Join(errs...)
}

// pair reads one key: a setting with a value or a list of values, or a section.
func (p *parser) pair(section string, key, v *yaml.Node) error {
	e := entry{section: section, key: key.Value, line: key.Line}
	if key.Kind != yaml.ScalarNode || key.Tag != tagText {
		return fmt.Errorf("line %d: %q is no key: want the name of a setting or of a command", key.Line, key.Value)
	}
	full := dotted(section, e.key)
	if first, twice := p.lines[full]; twice {
		return fmt.Errorf("line %d: %s is set twice, first in line %d", e.line, full, first)
	}
	p.lines[full] = e.line
	switch v.Kind {
	case yaml.MappingNode:
		e.isSection = true
		p.entries = append(p.entries, e)
		return p.mapping(full, v)
	case yaml.SequenceNode:
		e.list, e.values = true, []value{}
		for _, item := range v.Content {
			one, err := e.valueOf(item)
			if err != nil {
				return err
			}
			e.values = append(e.values, one)
		}
	default:
		one, err := e.valueOf(v)
		if err != nil {
			return err
		}
		e.values = []value{one}
	}
	p.entries = append(p.entries, e)
	return nil
}

// valueOf reads one value of an entry.
func (e entry) valueOf(v *yaml.Node) (value, error) {
	switch {
	case v.Kind != yaml.ScalarNode:
		return value{}, fmt.Errorf("line %d: %s: want a value or a list of values", v.Line, e.key)
	case v.Tag == tagNull:
		return value{}, fmt.Errorf("line %d: %s has no value: give one (\"\" for an empty text), or leave the line out", v.Line, e.key)
	}
	return value{v.Value, v.Tag}, nil
}

func dotted(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}
