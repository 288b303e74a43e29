package main

import (
	"debug/elf"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// What strangers' texts are parsed by is compiled so that a fault of it ends the
// process: the loader's tables cannot be written to, stacks and copies are checked,
// and the runtime's assertions hold.
func TestObjectsAreHardened(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("other systems have other objects")
	}
	dir := fleettest.Grammars()
	m := must.Get(manifest.Read(dir))(t)
	imports := map[string]int{}
	for _, o := range append([]string{m.Runtime.File}, files(m)...) {
		f := must.Get(elf.Open(filepath.Join(dir, o)))(t)
		relro := slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_GNU_RELRO })
		flags, err := f.DynValue(elf.DT_FLAGS)
		if !relro || err != nil || len(flags) != 1 || elf.DynFlag(flags[0])&elf.DF_BIND_NOW == 0 {
			t.Errorf("%s: relro %v, flags %v (%v); want full RELRO", o, relro, flags, err)
		}
		for _, s := range must.Get(f.ImportedSymbols())(t) {
			imports[s.Name]++
			if s.Name == "__assert_fail" && o != m.Runtime.File {
				t.Errorf("%s has assertions, which the validator's has not", o)
			}
		}
		must.Do(t, f.Close())
	}
	// Each where the compiler finds a reason for it.
	for _, name := range []string{"__stack_chk_fail", "__memcpy_chk", "__assert_fail"} {
		if imports[name] == 0 {
			t.Errorf("no object calls %s", name)
		}
	}
}

func files(m *manifest.Manifest) []string {
	var names []string
	for _, g := range m.Languages {
		names = append(names, g.File)
	}
	return names
}
