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

// declared lists the names that a file declares for its package, without methods.
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

// common are the producer's files that belong to no command, and what is in them.
var common = map[string]string{
	"doc.go":     "what all commands guarantee",
	"main.go":    "the list of the commands",
	"flags.go":   "flags of several commands",
	"options.go": "reading and checking these flags, and the session that they describe",
	"servers.go": "opening the servers that a command reads or orders by, and printing the answer",
	"api.go":     "the flags of the API, and reading them",
	"site.go":    "serving the API and the dashboard",
	"checks.go":  "the checks of an installation, for doctor and for the page of health",
	"conduct.go": "running a round, or some of its miners again, and showing it",
}

// A command is read in one file: what others use of it is its constructor alone, and all
// methods of its types are in it. What several commands use stands in a common file.
func TestACommandIsOneFile(t *testing.T) {
	t.Parallel()
	files, owner := map[string]source{}, map[string]string{}
	found := map[string]bool{}
	for _, s := range sources(t) {
		if s.pkg != "producer" || s.isTest {
			continue
		}
		files[s.path] = s
		name := strings.TrimPrefix(s.path, "producer/")
		found[name] = true
		switch commands := count(s.file.Decls, isCommand); {
		case commands > 1:
			t.Errorf("%s makes %d commands: give each its own file", s.path, commands)
		case commands == 1 && common[name] != "":
			t.Errorf("%s makes a command, and holds what others use: %s", s.path, common[name])
		case commands == 0 && common[name] == "":
			t.Errorf("%s makes no command: put it into one of the common files %v, or into a package below", s.path, slices.Sorted(maps.Keys(common)))
		case commands == 1:
			for _, name := range declared(s.file) {
				owner[name] = s.path
			}
		}
		for _, of := range receivers(s.file) {
			if !slices.Contains(declared(s.file), of) {
				t.Errorf("%s has a method of %s, whose type is in another file: put them together", s.path, of)
			}
		}
	}
	for name := range common {
		if !found[name] {
			t.Errorf("producer/%s is not there: the table is out of date", name)
		}
	}
	if len(files) < 20 {
		t.Fatalf("%d files: this test does not see the producer's", len(files))
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		for _, id := range files[path].file.Unresolved { // those that are declared in other files, or nowhere
			of := owner[id.Name]
			listed := path == "producer/main.go" && strings.HasSuffix(id.Name, "Command")
			if of != "" && of != path && !listed {
				t.Errorf("%s uses %s of %s: put what several commands use into a common file", path, id.Name, of)
			}
		}
	}
}

func count(list []ast.Decl, is func(ast.Decl) bool) (n int) {
	for _, d := range list {
		if is(d) {
			n++
		}
	}
	return n
}

// receivers lists the types whose methods a file has, one for each method.
func receivers(file *ast.File) (types []string) {
	for _, d := range file.Decls {
		if f, is := d.(*ast.FuncDecl); is && f.Recv != nil {
			of := f.Recv.List[0].Type
			if pointer, is := of.(*ast.StarExpr); is {
				of = pointer.X
			}
			if name, is := of.(*ast.Ident); is {
				types = append(types, name.Name)
			}
		}
	}
	return types
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
