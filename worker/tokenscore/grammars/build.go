package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// builder is one build.
type builder struct {
	out, cc string
	// arch is the processor that is built for, by Go's name; cc compiles for it.
	arch string
	jobs int
	log  io.Writer

	progress *progress

	cache string // where downloads are kept
	index string // the package index that they come from

	old   *manifest.Manifest // what stands in out; nil when nothing usable does
	work  string             // where this build unpacks and compiles
	stage string             // what becomes out
	made  manifest.Manifest

	origins map[string]origin // of the languages to be built
}

// build builds the directory. It does nothing if the directory is up to date. It works in a
// directory beside the output, because only within one file system can a rename put the
// result in place as a whole.
func (b *builder) build(ctx context.Context) error {
	//nolint:gosec // read by whatever user runs the workers, as the output itself
	if err := os.MkdirAll(filepath.Dir(b.out), 0o755); err != nil {
		return fmt.Errorf("making the output's parent: %w", err)
	}
	release, err := b.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	// No other build has the lock, so all remains that recover finds are a dead build's.
	if err := b.recover(); err != nil {
		return err
	}
	b.old = readOld(b.out)
	if b.old != nil && len(b.stale()) == 0 && b.old.Runtime.Recipe == b.runtimeRecipe() {
		return nil
	}
	if b.work, err = os.MkdirTemp(filepath.Dir(b.out), workPrefix(b.out)); err != nil {
		return fmt.Errorf("making a directory to build in: %w", err)
	}
	err = b.rebuild(ctx)
	return errors.Join(err, os.RemoveAll(b.work))
}

// readOld returns the manifest of dir if every file is as it was built. Anything else is
// built again, whatever the reason.
func readOld(dir string) *manifest.Manifest {
	m, err := manifest.Read(dir)
	if err != nil {
		return nil
	}
	if err := m.Verify(dir); err != nil {
		return partial(m, dir)
	}
	return m
}

// partial keeps the entries of a manifest whose files are unchanged since their build.
func partial(m *manifest.Manifest, dir string) *manifest.Manifest {
	intact := func(o manifest.Object) bool {
		sum, err := manifest.FileDigest(filepath.Join(dir, o.File))
		return err == nil && sum == o.SHA256
	}
	m.Languages = slices.DeleteFunc(m.Languages, func(g manifest.Grammar) bool { return !intact(g.Object) })
	if !intact(m.Runtime) || m.Runtime.Sources != manifest.RuntimeSources() {
		m.Runtime = manifest.Object{}
	}
	// A directory without its licences may not be handed on, so nothing of it is kept.
	if slices.ContainsFunc(m.Licenses, func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err != nil
	}) {
		return nil
	}
	return m
}

// stale lists the languages that have no intact object of today's recipe.
func (b *builder) stale() []string {
	var stale []string
	for _, language := range tokens.Languages() {
		if b.old != nil {
			if g, found := b.old.Grammar(language); found && g.Recipe == b.grammarRecipe(language) {
				continue
			}
		}
		stale = append(stale, language)
	}
	return stale
}

// rebuild builds everything that is stale into the stage, takes over the rest, and installs
// the stage. Until then the old directory stays as it is, and workers can use it.
func (b *builder) rebuild(ctx context.Context) error {
	if err := b.tools(ctx); err != nil {
		return err
	}
	b.stage = filepath.Join(b.work, "stage")
	//nolint:gosec // as above
	if err := os.Mkdir(b.stage, 0o755); err != nil {
		return fmt.Errorf("making the staging directory: %w", err)
	}
	languages := b.stale()
	fmt.Fprintf(b.log, "grammars: building the runtime and %d of %d grammars into %s\n",
		len(languages), len(tokens.Languages()), b.out)
	if err := b.fetch(ctx, len(languages) > 0); err != nil {
		return err
	}
	b.progress.showf(true, "unpacking the sources")
	if err := errors.Join(b.writeOurs(), b.unpackAll(ctx, languages)); err != nil {
		return err
	}
	var err error
	if b.origins, err = b.readOrigins(languages); err != nil {
		return err
	}
	if err := b.compileAll(ctx, languages); err != nil {
		return err
	}
	if err := b.takeOver(languages); err != nil {
		return err
	}
	if err := b.licenses(); err != nil {
		return err
	}
	// The last point at which a signal leaves the old directory.
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped: %w", err)
	}
	return b.install()
}

// compileAll compiles the runtime and the languages on all cores. The large grammars come
// first, so that none is left to run alone at the end.
func (b *builder) compileAll(ctx context.Context, languages []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.jobs)
	group.Go(func() error { return b.compileRuntime(ctx) })
	bySize := slices.Clone(languages)
	slices.SortStableFunc(bySize, func(a, c string) int { return int(b.sourceSize(c) - b.sourceSize(a)) })
	made := make([]manifest.Grammar, len(bySize))
	for i, language := range bySize {
		group.Go(func() (err error) {
			if made[i], err = b.compileGrammar(ctx, language); err == nil {
				b.progress.grammar(len(bySize))
			}
			return err
		})
	}
	err := group.Wait()
	b.progress.clear()
	if err != nil {
		return err
	}
	b.made.Languages = made
	return nil
}

// takeOver links unchanged files of the old directory into the stage.
func (b *builder) takeOver(built []string) error {
	for _, language := range tokens.Languages() {
		if slices.Contains(built, language) {
			continue
		}
		g, found := b.old.Grammar(language)
		if !found {
			return fmt.Errorf("language %s was neither built nor there", language)
		}
		if err := link(filepath.Join(b.out, g.File), filepath.Join(b.stage, g.File)); err != nil {
			return err
		}
		b.made.Languages = append(b.made.Languages, *g)
	}
	slices.SortFunc(b.made.Languages, func(a, c manifest.Grammar) int { return strings.Compare(a.Language, c.Language) })
	return nil
}
