package manifest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Files are the files of a grammars directory as they lay there at one time.
type Files struct {
	dir  string
	info map[string]os.FileInfo // by name
}

// Files looks at the manifest's own file and at each file that it names.
func (m *Manifest) Files(dir string) (*Files, error) {
	names := []string{Name, m.Runtime.File}
	for i := range m.Languages {
		names = append(names, m.Languages[i].File)
	}
	f := &Files{dir: dir, info: make(map[string]os.FileInfo, len(names))}
	for _, name := range names {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("looking at the grammars: %w", err)
		}
		f.info[name] = info
	}
	return f, nil
}

// Replaced names a file that is gone, or is not the one of then, such as one that a newer
// package has installed; "" for none. Without names it looks at all files.
func (f *Files) Replaced(names ...string) string {
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(f.info))
	}
	for _, name := range names {
		path := filepath.Join(f.dir, name)
		then, now := f.info[name], os.FileInfo(nil)
		if then != nil {
			now, _ = os.Stat(path) // nil if it is gone
		}
		if now == nil || !os.SameFile(then, now) || then.Size() != now.Size() || !then.ModTime().Equal(now.ModTime()) {
			return path
		}
	}
	return ""
}
