import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from conformance.__main__ import SHRUNK, Run
from conformance.compare import Difference
from conformance.naming import RULES, Namer
from conformance.report import Report
from conformance.work import Found, Worker

DECAY = Difference(('0', 'miners', '7', 'pull_requests', 'a/b#1', 'time_decay_multiplier'), 0.98, 1.0)
CASE = {'miners': [{'uid': 7}], 'rounds': [{}], 'registry': {}, 'mirror': {'pulls': {}, 'issues': {}, 'open_issues': {}, 'files': {}}}


def comparison(folder: str, differences: list[Difference]) -> Run:
    """A run whose worker plays every case with these differences."""
    made: Any = Run.__new__(Run)
    made.a, made.folder, made.report, made.found = mock.Mock(), Path(folder), Report(), []
    made.namer = mock.Mock(wraps=Namer.__new__(Namer))
    made.namer.name = lambda differences, ours=None: differences[0].path[-1]
    made.worker = mock.Mock(spec=Worker)
    made.worker.play = lambda what, case: Found(what, 1, 1, differences)
    made.worker.both = lambda case: ([], [])
    made.worker.validator = mock.Mock(play=lambda case: [{'outcome': {}}])
    return made


class TestRun(unittest.TestCase):
    def named(self, run: Run, found: list[Found]) -> str:
        run.found = found
        with mock.patch.object(Report, 'rule', lambda self, name, count, what, file, *more: self.rules.append(f'{name} {count} {file}')):
            run._different()
        return '\n'.join(run.report.rules)

    def test_a_case_that_does_not_differ_again_is_not_written(self) -> None:
        with TemporaryDirectory() as folder:
            found = [Found('pair', 0, 1, [DECAY], CASE)]
            self.assertEqual(self.named(comparison(folder, []), found), 'time_decay_multiplier 1 None')
            self.assertEqual(list(Path(folder).rglob('*.json')), [])
            said = self.named(comparison(folder, [DECAY]), found)
            self.assertEqual(said, f'time_decay_multiplier 1 {folder}/differ/rounds/time-decay.json')

    def test_every_rule_is_named_and_the_first_ones_by_a_case(self) -> None:
        rules = list(
            {rule: Difference(('0', part, *figures[:1]), 1, 2) for part, figures, rule in RULES if part in ('windows', 'files')}.values()
        )
        rules += [Difference((*DECAY.path[:-1], f), 1, 2) for f in ('base_score', 'label', 'issue_multiplier', 'time_decay_multiplier')]
        rules += [Difference((*DECAY.path[:-1], f), 1, 2) for f in ('collateral_score', 'earned_score')]
        rules += [Difference(('0', part, 'x'), 1, 2) for part in ('rewards', 'registry')]
        self.assertGreater(len(rules), SHRUNK)
        with TemporaryDirectory() as folder:
            run = comparison(folder, [])
            run.worker.play = lambda what, case: Found(what, 1, 1, [case['rule']])
            said = self.named(run, [Found('world', 1, 1, [d], {**CASE, 'rule': d}) for d in rules]).splitlines()
        self.assertEqual([' None' in line for line in said], [False] * SHRUNK + [True] * (len(rules) - SHRUNK))

    def test_weights_of_the_history_give_no_case(self) -> None:
        worker: Any = Worker.__new__(Worker)
        worker.validator = mock.Mock(_folder=mock.Mock())
        worker.score = lambda files, **weights: [Found('pair', 0, 1, [DECAY], CASE)]
        with TemporaryDirectory() as folder:
            worker.validator._folder.name = folder
            for name in ('programming_languages.json', 'token_weights.json'):
                (Path(folder) / name).write_text('{}')
            self.assertEqual([f.case for f in worker.weigh({}, {}, [])], [None])
