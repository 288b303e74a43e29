package scoring

import (
	"regexp"
	"strings"
)

// pythonLower lower-cases as the validator does, for texts that are compared
// with ASCII ones. Go maps İ to i alone, which would let "Specİ" forms of
// ASCII names match; Python keeps the dot as a mark of its own.
func pythonLower(s string) string {
	return strings.ToLower(strings.ReplaceAll(s, "\u0130", "i\u0307"))
}

// baseName is what follows the last slash.
func baseName(path string) string {
	return path[strings.LastIndexByte(path, '/')+1:]
}

// Extension is the extension that a file is scored by: of the base name, what
// follows the last dot, lower-cased. Of names without a dot only dockerfile and
// makefile have one: themselves.
func Extension(path string) string {
	base := pythonLower(baseName(path))
	if dot := strings.LastIndexByte(base, '.'); dot >= 0 {
		return base[dot+1:]
	}
	if base == "dockerfile" || base == "makefile" {
		return base
	}
	return ""
}

// lineScored are the extensions that are scored by lines, whatever the weights say.
var lineScored = map[string]bool{
	"md": true, "mdx": true, "markdown": true, "txt": true, "text": true, "tex": true, "rst": true, "adoc": true,
	"asciidoc": true, "json": true, "jsonc": true, "yaml": true, "yml": true, "toml": true, "xml": true, "csv": true,
	"tsv": true, "ini": true, "cfg": true, "conf": true, "config": true, "properties": true, "plist": true, "erb": true,
}

// IsLineScored says whether files of an extension are scored by their changed lines.
func IsLineScored(ext string) bool { return lineScored[ext] }

// testPath and testBase are section 5's patterns of test files: the first over
// the lower-cased path, the second over its base name.
var (
	testPath = regexp.MustCompile(`(^|/)(tests?|__tests?__|androidtest[a-z]*|integrationtest|spec)/|\.tests?/`)
	testBase = regexp.MustCompile(`^(test_|spec_)|(_test|_tests|_spec|\.test|\.tests|\.spec|^tests?)\.[^.]+$|^conftest\.py\n?$`)
)

// IsTestFile says whether a path is a test file's by its name.
func IsTestFile(path string) bool {
	lower := pythonLower(path)
	return testPath.MatchString(lower) || testBase.MatchString(baseName(lower))
}

// inlineTests are the marks of tests inside production files. A word ends where
// neither letter, digit nor underscore of any script follows, as the validator
// reads its patterns; RE2's own \b and \w know ASCII alone.
var inlineTests = map[string]*regexp.Regexp{
	"rs": regexp.MustCompile(`(?m)^[ \t]*(?:#\[(?:cfg\()?test` + wordEnd +
		`|#!\[cfg\(test\)\]|#\[[\pL\pN_]+::test` + wordEnd + `)`),
	"zig": regexp.MustCompile(`(?m)^[ \t]*test[ \t]*[{"]`),
	"d":   regexp.MustCompile(`(?m)^[ \t]*unittest` + wordEnd),
}

const wordEnd = `(?:[^\pL\pN_]|\z)`

// HasInlineTests says whether a head's text holds tests of its own, which makes
// the whole file a test file. Only rs, zig and d files can.
func HasInlineTests(ext, head string) bool {
	pattern := inlineTests[ext]
	return pattern != nil && pattern.MatchString(head)
}
