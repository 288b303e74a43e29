package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// commonFlags are what both kinds of object are compiled with. C11 is what the
// validator's wheels are built with; -w because other people's warnings are not
// ours to mend. What writes past the end of an array on the stack, or of one whose
// size the compiler sees, ends the process.
func commonFlags() []string {
	return []string{
		"-std=c11", "-O2", "-DTREE_SITTER_HIDE_SYMBOLS", "-fPIC", "-shared", "-w",
		"-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3",
	}
}

// runtimeFlags hide everything but our one entry: what cannot be replaced from
// outside can be inlined, which is worth a tenth of the parsing time. The runtime's
// own assertions hold: without them it goes on with what it found to be wrong.
func runtimeFlags() []string { return append(linkFlags(), "-fvisibility=hidden", "-fno-plt") }

// grammarFlags leave the scanners' assertions out, as the validator's wheels do: it
// goes on where some of them fail, and gets a tree.
func grammarFlags() []string { return append(linkFlags(), "-DNDEBUG") }

// linkFlags make an object that lacks a symbol fail here, not in a worker. What the
// loader writes into an object cannot be written to after that.
func linkFlags() []string {
	if runtime.GOOS == "linux" {
		return []string{"-Wl,-z,defs", "-Wl,-Bsymbolic", "-Wl,-z,relro", "-Wl,-z,now"}
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
	return recipe(manifest.GrammarSources(packageOf(language).SHA256+" "+language), grammarFlags())
}

// packageOf is the source distribution that holds a language's grammar.
func packageOf(language string) manifest.Package {
	if language == manifest.CSharpLanguage {
		return manifest.CSharp
	}
	return manifest.Pack
}
