package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// commonFlags are the compiler flags of both kinds of object. C11 is the standard of the
// validator's wheels. -w is set because we do not fix other people's warnings. The hardening
// flags end the process if the code writes past the end of an array on the stack, or of an
// array whose size the compiler knows.
func commonFlags() []string {
	return []string{
		"-std=c11", "-O2", "-DTREE_SITTER_HIDE_SYMBOLS", "-fPIC", "-shared", "-w",
		"-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3",
	}
}

// runtimeFlags hide all symbols but our one entry. The compiler can inline functions that
// nobody outside can replace, which saves a tenth of the parsing time. The runtime keeps its
// own assertions: without them it would continue after it has found an inconsistency.
func runtimeFlags() []string { return append(linkFlags(), "-fvisibility=hidden", "-fno-plt") }

// grammarFlags omit the scanners' assertions, as the validator's wheels do. The validator
// continues where some of them would fail, and gets a tree.
func grammarFlags() []string { return append(linkFlags(), "-DNDEBUG") }

// linkFlags make the link fail if an object lacks a symbol: otherwise the failure would come
// in a worker. After the loader has relocated an object, its tables become read-only.
func linkFlags() []string {
	if runtime.GOOS == "linux" {
		return []string{"-Wl,-z,defs", "-Wl,-Bsymbolic", "-Wl,-z,relro", "-Wl,-z,now"}
	}
	return nil
}

// recipe is the digest of everything that decides an object's bytes, except for the
// compiler: a newer compiler makes the same trees.
func (b *builder) recipe(sources string, flags []string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s/%s\n%s\n%s", sources, runtime.GOOS, b.arch,
		strings.Join(commonFlags(), " "), strings.Join(flags, " ")))
	return hex.EncodeToString(sum[:])
}

func (b *builder) runtimeRecipe() string { return b.recipe(manifest.RuntimeSources(), runtimeFlags()) }

// grammarRecipe uses the hash of the source distribution, so that the recipe is known
// without unpacking it.
func (b *builder) grammarRecipe(language string) string {
	return b.recipe(manifest.GrammarSources(packageOf(language).SHA256+" "+language), grammarFlags())
}

// packageOf is the source distribution that holds a language's grammar.
func packageOf(language string) manifest.Package {
	if language == manifest.CSharpLanguage {
		return manifest.CSharp
	}
	return manifest.Pack
}
