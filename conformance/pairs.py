"""Pairs of files to score: mutated samples of every language, and changes from the histories of git repositories."""

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance import texts
from conformance.checkout import ConformanceError

# A larger text is skipped by the rules before it is parsed, so that it says nothing of a parser.
LARGEST = 1_000_000


def file(path: str, base: str | None, head: str | None) -> dict[str, Any]:
    """A file as the mirror answers with it. Its lines are those of both sides."""
    added, deleted = (len((t or '').splitlines()) for t in (head, base))
    status = 'added' if base is None else 'removed' if head is None else 'modified'
    return {
        'filename': path,
        'status': status,
        'changes': added + deleted,
        'additions': added,
        'deletions': deleted,
        'head_content': head,
        'base_content': base,
    }


def mutated(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Pairs from the samples, taken in turn, so that each language has its share."""
    samples = texts.samples()
    for i in range(count):
        r = random.Random(f'{seed} {i}')
        sample = samples[i % len(samples)]
        base = sample.base if r.random() < 0.5 else sample.head
        if base is not None and r.random() < 0.3:
            base = texts.mutate(r, base)
        yield file(sample.path, base if r.random() > 0.1 else None, texts.mutate(r, sample.head))


def history(repository: str, seed: int, count: int, extensions: set[str]) -> list[dict[str, Any]]:
    """Changes of a git repository's files, at most count, drawn from its whole history."""
    log = _git(repository, 'log', '--no-merges', '--no-renames', '--raw', '--no-abbrev', '--format=', '--diff-filter=AM')
    changes = []
    for line in log.decode('utf-8', 'replace').splitlines():
        meta, _, path = line.partition('\t')
        if path.rpartition('/')[2].rpartition('.')[2].lower() in extensions:
            changes.append((meta.split()[2], meta.split()[3], path.strip('"')))
    random.Random(seed).shuffle(changes)
    changes = changes[:count]
    blobs = _blobs(repository, sorted({b for old, new, _ in changes for b in (old, new) if set(b) != {'0'}}))
    pairs = [file(path, blobs.get(old), blobs[new]) for old, new, path in changes if new in blobs]
    return [p for p in pairs if max(len(p['head_content']), len(p['base_content'] or '')) < LARGEST]


def _git(repository: str, *arguments: str, given: bytes | None = None) -> bytes:
    if not Path(repository).is_dir():
        raise ConformanceError(f'{repository} is no folder: PAIRS wants git repositories, separated by commas')
    done = subprocess.run(['git', '-C', repository, *arguments], input=given, capture_output=True)
    if done.returncode:
        raise ConformanceError(f'git {arguments[0]} in {repository}: {done.stderr.decode().strip()}')
    return done.stdout


def _blobs(repository: str, names: list[str]) -> dict[str, str]:
    """The texts of blobs; one that the repository lacks is absent."""
    answer, texts_of, at = _git(repository, 'cat-file', '--batch', given='\n'.join(names).encode()), {}, 0
    for name in names:
        end = answer.index(b'\n', at)
        header = answer[at:end].split()
        at = end + 1
        if header[-1] == b'missing' or len(header) != 3:
            continue
        size = int(header[2])
        texts_of[name] = answer[at : at + size].decode('utf-8', 'replace')
        at += size + 1
    return texts_of


def case_of(pair: dict[str, Any]) -> dict[str, Any]:
    """A world whose one pull request has this one file."""
    pull = {
        'repo_full_name': 'amber/basin',
        'pr_number': 1,
        'title': 't',
        'state': 'MERGED',
        'author_github_id': '10001',
        'author_login': 'amber',
        'author_association': 'NONE',
        'created_at': '2026-06-29T00:00:00Z',
        'closed_at': '2026-06-30T23:00:00Z',
        'merged_at': '2026-06-30T23:00:00Z',
        'merged_by_login': 'maintainer',
        'base_ref': 'main',
        'head_ref': 'feature',
        'head_repo_full_name': 'amber/fork',
        'default_branch': 'main',
        'head_sha': '1',
        'base_sha': '2',
        'merge_base_sha': '3',
        'additions': pair['additions'],
        'deletions': pair['deletions'],
        'commits_count': 1,
        'scoring_data_stored': True,
        'review_summary': {
            'maintainer_changes_requested_count': 0,
            'changes_requested_count': 0,
            'approved_count': 1,
            'commented_count': 0,
        },
        'labels': [],
        'linked_issues': [],
        'last_edited_at': None,
        'edited_after_merge': False,
    }
    content = {**pair, 'previous_filename': None, 'is_binary': False, 'byte_size': len((pair['head_content'] or '').encode())}
    answer = {
        'repo_full_name': 'amber/basin',
        'pr_number': 1,
        'head_sha': '1',
        'base_sha': '2',
        'merge_base_sha': '3',
        'scoring_data_stored': True,
        'files': [content],
    }
    return {
        'registry': {'amber/basin': {'emission_share': 0.5, 'eligibility': {'min_valid_merged_prs': 0}}},
        'miners': [{'uid': 1, 'hotkey': 'hk1', 'github_id': '10001', 'token': 'valid'}],
        'mirror': {
            'pulls': {'10001': [pull]},
            'issues': {'10001': []},
            'open_issues': {'10001': []},
            'files': {'amber/basin#1': answer},
            'maintainers': {},
        },
        'rounds': [{'as_of': '2026-07-01T00:00:00Z', 'fail': [], 'unreachable_identity': []}],
    }
