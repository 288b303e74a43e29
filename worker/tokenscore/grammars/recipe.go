package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// commonFlags are what both kinds of object are compiled with. NDEBUG and C11
// are what the validator's wheels are built with; -w because other people's
// warnings are not ours to mend.
func commonFlags() []string {
	return []string{"-std=c11", "-O2", "-DNDEBUG", "-DTREE_SITTER_HIDE_SYMBOLS", "-fPIC", "-shared", "-w"}
}

// runtimeFlags hide everything but our one entry: what cannot be replaced from
// outside can be inlined, which is worth a tenth of the parsing time.
func runtimeFlags() []string { return append(linkFlags(), "-fvisibility=hidden", "-fno-plt") }

// linkFlags make an object that lacks a symbol fail here, not in a worker.
func linkFlags() []string {
	if runtime.GOOS == "linux" {
		return []string{"-Wl,-z,defs", "-Wl,-Bsymbolic"}
	}
	return nil
}

// recipe is the digest of everything that decides an object's bytes, but for
// the compiler: a newer one makes no other trees.
func recipe(sources string, flags []string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s/%s\n%s\n%s", sources, runtime.GOOS, runtime.GOARCH,
		strings.Join(commonFlags(), " "), strings.Join(flags, " ")))
	return hex.EncodeToString(sum[:])
}

func runtimeRecipe() string { return recipe(manifest.RuntimeSources(), runtimeFlags()) }

// grammarRecipe starts from the source distribution, so that it is known
// without unpacking one.
func grammarRecipe(language string) string {
	return recipe(manifest.GrammarSources(packageOf(language).SHA256+" "+language), linkFlags())
}

// packageOf is the source distribution that holds a language's grammar.
func packageOf(language string) manifest.Package {
	if language == manifest.CSharpLanguage {
		return manifest.CSharp
	}
	return manifest.Pack
}
