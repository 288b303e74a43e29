package gitworld

import (
	"context"

	"mirrorfleet/shared/gitdiff"
	"mirrorfleet/shared/mirrorsim"
)

// countLines fills in additions and deletions of all pull requests.
func (r *repository) countLines(ctx context.Context) error {
	changes := make([]gitdiff.Range, len(r.pulls))
	for i, p := range r.pulls {
		changes[i] = gitdiff.Range{Base: p.base, Head: p.head}
	}
	counted, err := r.git.Lines(ctx, changes)
	if err != nil {
		return err
	}
	for i := range r.pulls {
		lines := counted[r.pulls[i].head]
		r.pulls[i].additions, r.pulls[i].deletions = lines.Additions, lines.Deletions
	}
	return nil
}

// filesOf is the files answer of a pull request. It reads git at every call.
func (r *repository) filesOf(ctx context.Context, p *pullRequest) (mirrorsim.Files, error) {
	change, err := r.git.Change(ctx, p.base, p.head, gitdiff.Bounds{})
	if err != nil {
		return mirrorsim.Files{}, err
	}
	answer := mirrorsim.Files{
		RepoFullName:      r.name,
		Number:            p.number,
		HeadSHA:           &p.head,
		BaseSHA:           &p.base,
		MergeBaseSHA:      p.mergeBase(),
		ScoringDataStored: true,
		Files:             make([]mirrorsim.File, 0, len(change.Files)),
	}
	for i := range change.Files {
		f := &change.Files[i]
		file := mirrorsim.File{
			Filename:    f.Filename,
			Status:      f.Status,
			Additions:   f.Additions,
			Deletions:   f.Deletions,
			Changes:     f.Changes,
			IsBinary:    f.Binary,
			ByteSize:    f.ByteSize,
			HeadContent: f.Head,
			BaseContent: f.Base,
		}
		if f.PreviousFilename != "" {
			file.PreviousFilename = &f.PreviousFilename
		}
		answer.Files = append(answer.Files, file)
	}
	return answer, nil
}
