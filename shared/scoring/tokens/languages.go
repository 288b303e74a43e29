package tokens

import "slices"

// languages are those that a weights file may name: the rules score them by
// their trees. Sorted.
var languages = []string{ //nolint:gochecknoglobals // a table that nothing writes to
	"asm", "astro", "bash", "c", "cairo", "clojure", "cmake", "cpp", "csharp", "css", "cuda", "d", "dart",
	"dockerfile", "elixir", "elm", "erlang", "fish", "fortran", "gdscript", "gleam", "glsl", "go", "groovy",
	"haskell", "hcl", "heex", "hlsl", "html", "java", "javascript", "julia", "kotlin", "lua", "make", "nix",
	"objc", "ocaml", "pascal", "perl", "php", "powershell", "prisma", "proto", "purescript", "python", "r",
	"racket", "ruby", "rust", "scala", "scheme", "scss", "solidity", "sql", "svelte", "swift", "tcl", "tsx",
	"typescript", "v", "verilog", "vhdl", "vim", "vue", "wgsl", "zig",
}

// Languages lists every language that is scored by its tree, sorted.
func Languages() []string { return slices.Clone(languages) }

// KnownLanguage says whether a language is one of Languages.
func KnownLanguage(name string) bool {
	_, known := slices.BinarySearch(languages, name)
	return known
}
