package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"mirrorfleet/shared/plural"
)

// verified is a backup that is whole.
type verified struct {
	Manifest

	dir string
	// unplanned are the rounds that have something in the backup and no manifest:
	// they were begun or forgotten while it was taken.
	unplanned []string
	// early are the keys of the outcomes that were written while it was taken.
	early []string
}

// verify reads all of a backup. Whatever is wrong with it is ErrRefused.
func verify(ctx context.Context, dir string) (verified, error) {
	v := verified{dir: dir}
	var err error
	if v.Manifest, err = readManifest(dir); err != nil {
		return v, err
	}
	rounds, manifests := map[string]bool{}, map[string]bool{}
	for _, s := range v.Streams {
		if ctx.Err() != nil {
			return v, context.Cause(ctx) //nolint:wrapcheck // the caller's own
		}
		found, err := v.verifyStream(s)
		if err != nil {
			return v, refusef("backup %s: %s: %w", dir, s.File, err)
		}
		maps.Copy(rounds, found.rounds)
		maps.Copy(manifests, found.manifests)
		for _, key := range found.outcomes {
			if !slices.Contains(v.Outcomes, key) {
				v.early = append(v.early, key)
			}
		}
	}
	for _, round := range slices.Sorted(maps.Keys(rounds)) {
		if !manifests[round] {
			v.unplanned = append(v.unplanned, round)
		}
	}
	v.early = slices.DeleteFunc(v.early, func(key string) bool { // they go with their rounds
		round, _, _ := strings.Cut(key, ".")
		return slices.Contains(v.unplanned, round)
	})
	return v, nil
}

func (v verified) verifyStream(s Stream) (contents, error) {
	found, err := readArchive(v.path(s))
	if errors.Is(err, fs.ErrNotExist) {
		return found, errors.New("it is missing")
	}
	switch {
	case err != nil:
		return found, err
	case found.bytes != s.Bytes:
		return found, fmt.Errorf("it has %s, and the manifest says %d", plural.Of(found.bytes, "byte"), s.Bytes)
	case found.sha256 != s.SHA256:
		return found, fmt.Errorf("its SHA-256 is %s, and the manifest says %s", found.sha256, s.SHA256)
	case found.messages != s.Messages || found.state.LastSeq != s.LastSeq:
		return found, fmt.Errorf("it has %s up to %d, and the manifest says %d up to %d",
			plural.Of(found.messages, "message"), found.state.LastSeq, s.Messages, s.LastSeq)
	}
	return found, nil
}

func (v verified) path(s Stream) string { return filepath.Join(v.dir, s.File) }
