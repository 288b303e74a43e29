package gitdiff_test

// kinds are the files of each pull request of gittest.Kinds, as the mirror has them, and
// those whose texts are not UTF-8.
var kinds = []struct{ files, foreign []string }{
	{files: []string{
		`removed "gone.py" +0 -7 head null base 82`,
		`renamed "moved.go" +2 -0 head 147 base 131 from "main.go"`,
		`removed "notes.txt" +0 -2 head null base 8`,
		`modified "tool.py" +0 -0 head 82 base 82`,
		`renamed "util.ts" +0 -0 head 77 base 77 from "util.js"`,
	}},
	{files: []string{
		`modified "logo.png" +0 -0 head null base null binary`,
		`added "new.bin" +0 -0 head null base null binary`,
		`modified "now.py" +0 -0 head null base 6 binary`,
	}},
	{files: []string{
		`added "lib" +1 -0 head null base null`,
	}},
	{files: []string{
		`added "link.go" +1 -0 head 8 base null`,
		`changed "tool.py" +1 -7 head 11 base 82`,
	}},
	{files: []string{
		`modified "crlf.py" +7 -7 head 89 base 82`,
		`added "dos.go" +12 -0 head 143 base null`,
	}},
	{files: []string{
		`added "bom.py" +7 -0 head 85 base null`,
		`added "cut.go" +1 -0 head 20 base null`,
		`added "latin.py" +2 -0 head 37 base null`,
		`added "sequence.js" +1 -0 head 20 base null`,
	}, foreign: []string{"cut.go", "latin.py"}},
	{files: []string{
		`modified "README.md" +0 -3 head 0 base 10`,
		`added "empty.go" +0 -0 head 0 base null`,
		`modified "now.py" +0 -0 head 0 base null binary`,
	}},
	{files: []string{
		`added "at.py" +1 -0 head 1000000 base null`,
		`added "grows.py" +1 -0 head 1200001 base null`,
		`added "large.go" +300001 -0 head null base null`,
		`added "large.md" +100000 -0 head null base null`,
		`added "over.py" +1 -0 head null base null`,
		`added "under.py" +1 -0 head 999999 base null`,
	}, foreign: []string{"grows.py"}},
	{files: []string{
		`modified "at.py" +1 -1 head null base 1000000`,
		`modified "over.py" +1 -1 head 6 base null`,
		`modified "under.py" +2 -1 head 999997 base 999999`,
	}},
	{files: []string{
		`added "moved_test.go" +12 -0 head 131 base null`,
		`added "src/lib.rs" +4 -0 head 72 base null`,
		`added "tests/data.json" +1 -0 head 3 base null`,
	}},
	{files: []string{
		`added "Dockerfile" +1 -0 head 13 base null`,
		`added "Makefile" +2 -0 head 11 base null`,
		`added "Program.cs" +1 -0 head 34 base null`,
		`added "long.json" +500 -0 head 1000 base null`,
		`added "unknown.zzz" +1 -0 head 11 base null`,
	}},
	{files: []string{
		`added "\x1b[31mred.go" +12 -0 head 131 base null`,
		`added "-rf.go" +12 -0 head 131 base null`,
		`added "b.go" +12 -0 head 131 base null`,
		`added "bad�.go" +12 -0 head 131 base null`,
		`added "line\nbreak.go" +12 -0 head 131 base null`,
		`added "quo\"te.go" +12 -0 head 131 base null`,
		`added "tab\there.go" +12 -0 head 131 base null`,
		`added "with space.go" +12 -0 head 131 base null`,
		`added "ünï.go" +12 -0 head 131 base null`,
	}},
	{files: []string{
		`added ".gitattributes" +3 -0 head 50 base null`,
		`modified "crlf.py" +7 -7 head 82 base 89`,
		`modified "moved.go" +0 -2 head 131 base 147`,
	}},
	{files: []string{}},
}
