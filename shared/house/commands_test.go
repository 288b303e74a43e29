package house_test

import (
	"go/ast"
	"maps"
	"slices"
	"strings"
	"testing"
)

// isCommand says whether a declaration makes a command of a program.
func isCommand(d ast.Decl) bool {
	f, is := d.(*ast.FuncDecl)
	return is && f.Recv == nil && strings.HasSuffix(f.Name.Name, "Command") && f.Type.Results != nil && f.Name.Name != "newCommand"
}

// declared lists the names that a file declares for its package, methods apart.
func declared(file *ast.File) []string {
	var names []string
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, spec.Name.Name)
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names
}

// A command is read in one file: what others use of it is its constructor alone. What
// several commands use stands in a file that is no command's.
func TestACommandIsOneFile(t *testing.T) {
	t.Parallel()
	files, owner := map[string]source{}, map[string]string{}
	for _, s := range sources(t) {
		if s.pkg != "producer" || s.isTest {
			continue
		}
		files[s.path] = s
		if !slices.ContainsFunc(s.file.Decls, isCommand) {
			continue
		}
		for _, name := range declared(s.file) {
			owner[name] = s.path
		}
	}
	commands := map[string]bool{}
	for _, path := range owner {
		commands[path] = true
	}
	if len(commands) < 10 {
		t.Fatalf("%d files of commands: this test does not see the producer's", len(commands))
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		for _, id := range files[path].file.Unresolved { // those that are declared in other files, or nowhere
			of := owner[id.Name]
			listed := path == "producer/main.go" && strings.HasSuffix(id.Name, "Command")
			if of != "" && of != path && !listed {
				t.Errorf("%s uses %s of %s: put what several commands use into a file that is no command's", path, id.Name, of)
			}
		}
	}
}

// A session returns what there is to say: whoever has called it prints.
func TestASessionPrintsNothing(t *testing.T) {
	t.Parallel()
	seen := false
	for _, s := range sources(t) {
		if s.pkg != "producer/session" || s.isTest {
			continue
		}
		seen = true
		for _, name := range calls(s.file, "fmt") {
			if strings.Contains(strings.ToLower(name), "print") && !strings.HasPrefix(name, "Sprint") {
				t.Errorf("%s calls fmt.%s: return what there is to say", s.path, name)
			}
		}
		for _, name := range calls(s.file, "os") {
			if name == "Stdout" || name == "Stderr" {
				t.Errorf("%s names os.%s: return what there is to say", s.path, name)
			}
		}
	}
	if !seen {
		t.Error("producer/session has no file: this test does not see it")
	}
}
