import dataclasses
import random
import re
import subprocess
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance import pairs, registries, texts, worlds
from conformance.compare import ABSENT


def _parts(settings: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The objects of a repository's settings that are objects."""
    scoring = settings.get('scoring')
    found = [('', settings), *((p, settings.get(p)) for p in registries.PARTS)]
    found.append(('time_decay', scoring.get('time_decay') if isinstance(scoring, dict) else None))
    return [(part, of) for part, of in found if isinstance(of, dict)]


# The patterns by which the validator's FileChange.is_test_file knows a test: docs/rules/scoring.md#extensions-and-test-files.
FOLDERS_OF_TESTS = [
    r'(^|/)tests?/',
    r'(^|/)__tests?__/',
    r'(^|/)androidtest[a-z]*/',
    r'(^|/)integrationtest/',
    r'(^|/)spec/',
    r'\.tests?/',
]
NAMES_OF_TESTS = [
    r'^test_',
    r'^spec_',
    r'_test\.[^.]+$',
    r'_tests\.[^.]+$',
    r'_spec\.[^.]+$',
    r'\.test\.[^.]+$',
    r'\.tests\.[^.]+$',
    r'\.spec\.[^.]+$',
    r'^test\.[^.]+$',
    r'^tests\.[^.]+$',
    r'^conftest\.py$',
]


class TestInputs(unittest.TestCase):
    def test_a_seed_gives_one_world(self) -> None:
        self.assertEqual(worlds.case(7), worlds.case(7))
        self.assertNotEqual(worlds.case(7), worlds.case(8))

    def test_a_hundred_worlds_have_everything(self) -> None:
        has: set[str] = set()
        for case in map(worlds.case, range(100)):
            for number in case['rounds']:
                has |= {key for key in ('miners', 'mirror', 'registry') if number.get(key)}
                has |= {'fail ' + key.partition(':')[0] for key in number['fail']}
                has |= {'unreachable'} if number['unreachable_identity'] else set()
            for items in case['mirror']['pulls'].values():
                has |= {str(p.get('state')) for p in items} | {f'reason {i["state_reason"]}' for p in items for i in p['linked_issues']}
            for settings in case['registry'].values():
                has |= set(settings) | set(settings.get('eligibility', {})) | set(settings.get('scoring', {}))
            has |= {m['token'] for m in case['miners']}
        wanted = {
            'miners',
            'mirror',
            'registry',
            'unreachable',
            'MERGED',
            'OPEN',
            'CLOSED',
            'DRAFT',
            'reason NOT_PLANNED',
            'valid',
            'stale',
        }
        wanted |= {f'fail {kind}' for kind in ('pulls', 'issues', 'open_issues', 'files', 'maintainers')} | {
            'none',
            'refused',
            'time_decay',
        }
        wanted |= set(worlds.REPOSITORY) | set(worlds.ELIGIBILITY) | set(worlds.SCORING)
        self.assertEqual(wanted - has, set())

    def test_a_hundred_worlds_have_every_kind_of_file(self) -> None:
        files = [f for case in map(worlds.case, range(100)) for answer in case['mirror']['files'].values() for f in answer['files']]
        names = {f['filename'].lower() for f in files}
        bases = {n.rpartition('/')[2] for n in names}
        for pattern in FOLDERS_OF_TESTS:
            self.assertTrue([n for n in names if re.search(pattern, n)], pattern)
        for pattern in NAMES_OF_TESTS:
            self.assertTrue([n for n in bases if re.search(pattern, n)], pattern)
        heads, bases = ([f[side] or '' for f in files if not f['is_binary']] for side in ('head_content', 'base_content'))
        for sizes in ({len(t.encode()) for t in heads}, {len(t.encode()) for t in bases}):
            self.assertEqual(sizes & {texts.LIMIT, texts.LIMIT + 1}, {texts.LIMIT, texts.LIMIT + 1})
        self.assertTrue([t for t in heads if len(t.encode()) > texts.LIMIT and len(t) < texts.LIMIT], 'bytes count, not letters')
        self.assertTrue([t for t in heads if t.count('def ') == texts.MANY])
        for first, last in texts.INLINE_TESTS:
            self.assertTrue([t for t in heads if t.startswith(first) and t.endswith(last) and 'pub struct' in t], first + last)

    def test_pairs_are_of_every_language(self) -> None:
        languages = {s.language for s in texts.samples()}
        self.assertGreaterEqual(len(languages), 67)
        count = len(texts.samples())
        self.assertEqual(list(pairs.mutated(1, count)), list(pairs.mutated(1, count)))
        self.assertEqual({p['filename'] for p in pairs.mutated(1, count)}, {s.path for s in texts.samples()})

    def test_mutations_end_and_change(self) -> None:
        r = random.Random(1)
        self.assertGreater(sum(texts.mutate(r, 'a b\nc d\n') != 'a b\nc d\n' for _ in range(100)), 80)

    def test_a_history_gives_its_changes(self) -> None:
        with TemporaryDirectory() as folder:

            def git(*arguments: str) -> None:
                subprocess.run(
                    ['git', '-C', folder, '-c', 'user.name=n', '-c', 'user.email=e', *arguments], check=True, capture_output=True
                )

            git('init')
            for text in ('x = 1\n', 'x = 2\n'):
                (Path(folder) / 'a.py').write_text(text)
                (Path(folder) / 'b.bin').write_text(text)
                git('add', '.')
                git('commit', '-m', 'm')
            found = sorted((p['base_content'] or '', p['head_content']) for p in pairs.history(folder, 1, 10, {'py'}))
        self.assertEqual(found, [('', 'x = 1\n'), ('x = 1\n', 'x = 2\n')])

    def test_mutated_registries_have_every_setting_and_bad_values_of_each(self) -> None:
        tried: dict[str, set[str]] = {}
        for registry in registries.mutated({'a/b': {'emission_share': 0.5}}, 1, 2500):
            for part, settings in _parts(registry['a/b']):
                for key, value in settings.items():
                    tried.setdefault(f'{part}.{key}', set()).add(repr(value))
        for part, keys in registries.KNOWN.items():
            for key in keys:
                self.assertGreater(len(tried[f'{part}.{key}']), 5, f'{part}.{key}')

    def test_a_setting_that_is_not_compared_is_a_difference(self) -> None:
        known = [*registries.REPOSITORY, *registries.PARTS]
        self.assertEqual(registries.settings(dataclasses.make_dataclass('RepositoryConfig', known)), [])
        other = dataclasses.make_dataclass('RepositoryConfig', [*known[1:], 'review_bonus'])
        found = [(d.path[-1], d.ours, d.theirs) for d in registries.settings(other)]
        self.assertEqual(found, [('emission_share', 'a setting', ABSENT), ('review_bonus', ABSENT, 'a setting')])

    def test_names_of_settings_are_the_validators(self) -> None:
        self.assertEqual(
            list(
                registries._lowered(
                    {'MinValidMergedPRs': 1, 'OpenPRThresholdTokenScore': 2, 'ExcessivePRPenaltyBaseThreshold': 3, 'PRLookbackDays': 4}
                )
            ),
            ['min_valid_merged_prs', 'open_pr_threshold_token_score', 'excessive_pr_penalty_base_threshold', 'pr_lookback_days'],
        )
