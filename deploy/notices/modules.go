package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// module is a Go module as the go command lists it.
//
//nolint:tagliatelle // the go command's own names, here and below
type module struct {
	Path    string  `json:"Path"`
	Version string  `json:"Version"`
	Dir     string  `json:"Dir"`
	Main    bool    `json:"Main"`
	Replace *module `json:"Replace"`
}

// linked is a package that a command is made of.
//
//nolint:tagliatelle // as above
type linked struct {
	Dir    string  `json:"Dir"`
	Module *module `json:"Module"` // nil for Go's own library
}

// writeModules writes the licence files of all that some commands link.
func writeModules(ctx context.Context, out string, commands []string) error {
	packages, err := listPackages(ctx, commands)
	if err != nil {
		return err
	}
	licensed := map[string]bool{}
	for _, p := range packages {
		if p.Module == nil || p.Module.Main {
			continue
		}
		found, err := copyLicences(filepath.Join(out, p.Module.Path+"@"+p.Module.Version), p.Module.dir(), p.Dir)
		if err != nil {
			return err
		}
		licensed[p.Module.Path] = licensed[p.Module.Path] || found
	}
	for path, has := range licensed {
		if !has {
			return fmt.Errorf("module %s has no licence file", path)
		}
	}
	return writeGo(ctx, filepath.Join(out, "go"))
}

// listPackages asks the go command what some commands are made of on this
// platform.
func listPackages(ctx context.Context, commands []string) ([]linked, error) {
	output, err := goOutput(ctx, append([]string{"list", "-deps", "-json=Dir,Module", "--"}, commands...)...)
	if err != nil {
		return nil, err
	}
	var packages []linked
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p linked
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading go list: %w", err)
		}
		packages = append(packages, p)
	}
}

// dir is where a module's files stand; those of a replaced one are another's.
func (m *module) dir() string {
	if m.Replace != nil {
		return m.Replace.Dir
	}
	return m.Dir
}

// licenceName is what licences and what must be handed on with them are called.
var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|unlicense|copying|copyright|notice|patents)([.-].*)?$`)

// copyLicences copies the licence files of a folder and of those above it, up to
// the module's root.
func copyLicences(out, root, dir string) (found bool, err error) {
	for {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return false, fmt.Errorf("looking for licences: %w", err)
		}
		for _, entry := range entries {
			if !isLicence(entry) {
				continue
			}
			if err := copyFile(out, root, filepath.Join(dir, entry.Name())); err != nil {
				return false, err
			}
			found = true
		}
		if dir == root || !strings.HasPrefix(dir, root) {
			return found, nil
		}
		dir = filepath.Dir(dir)
	}
}

func isLicence(entry fs.DirEntry) bool {
	return entry.Type().IsRegular() && licenceName.MatchString(entry.Name()) && filepath.Ext(entry.Name()) != ".go"
}

// copyFile copies a file to the same place under out as it has under root.
func copyFile(out, root, path string) error {
	name, err := filepath.Rel(root, path)
	if err != nil {
		return fmt.Errorf("naming a licence: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading a licence: %w", err)
	}
	return writeFile(filepath.Join(out, name), text)
}

// writeGo writes the licence of Go's own library and runtime.
func writeGo(ctx context.Context, out string) error {
	output, err := goOutput(ctx, "env", "GOROOT")
	if err != nil {
		return err
	}
	root := string(bytes.TrimSpace(output))
	found, err := copyLicences(out, root, root)
	if err == nil && !found {
		err = fmt.Errorf("the Go installation in %s has no licence file", root)
	}
	return err
}

// goOutput runs the go command, which `go run` puts first in PATH.
func goOutput(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return output, nil
}
