import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from conformance import registries
from conformance.__main__ import SHRUNK, Run, emptied, outcomes, taken
from conformance.checkout import ConformanceError
from conformance.compare import Difference
from conformance.naming import RULES, Namer
from conformance.report import Report
from conformance.validator import Refused
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

    def test_real_processes_differ_only_by_an_outcome(self) -> None:
        failed = '    --- FAIL: TestRealPath/cases/000051 (2.0s)\n        parity_test.go:172: '
        said = outcomes(
            f'{failed}round 1.miners.7.total_score: got 3, want 4\n        real_test.go:83: round 1: another outcome than that\n'
        )
        self.assertEqual(said, ['world 51, round 1.miners.7.total_score: got 3, want 4', 'world 51, round 1: another outcome than that'])
        self.assertEqual(outcomes(f'{failed}nats-server is missing\nround 0: planned 3, done 2, failed 0\n'), [])
        report = Report()
        report.real(1, said, 2)
        self.assertIn('DIFFERS  real processes\n         world 51, round 1.miners', str(report))
        self.assertNotIn('agree', str(report))
        report = Report()
        report.real(1, [], 2)
        self.assertIn('agree', str(report))

    def test_a_failure_of_real_processes_is_no_difference(self) -> None:
        with TemporaryDirectory() as folder:
            run = comparison(folder, [])
            run.a = mock.Mock(seed=1, worlds=1, grammars='')
            run.program = Path(folder) / 'conform.test'
            done = mock.Mock(returncode=1, stdout='nats-server is missing', stderr='')
            run_it = mock.patch('conformance.__main__.subprocess.run', return_value=done)
            with run_it, self.assertRaisesRegex(ConformanceError, 'nats-server is missing'):
                run._real()

    def test_cases_of_an_earlier_run_go_and_none_is_written_over(self) -> None:
        with TemporaryDirectory() as folder:
            old = Path(folder) / 'old.json'
            old.write_text('{}')
            emptied(Path(folder))
            self.assertFalse(old.exists())
        own = Path('rounds/0001.json.zst')
        taken([own, Path('differ/label.json')])
        with self.assertRaisesRegex(ConformanceError, 'differ/0001.json has the name of rounds/0001.json.zst'):
            taken([own, Path('differ/0001.json')])

    def test_only_a_refusal_is_a_difference(self) -> None:
        worker: Any = Worker.__new__(Worker)
        worker.ours = mock.Mock(ask=lambda question: {'refused': 'token_weights.json: no'})
        self.assertEqual([d.ours for f in worker.score([{}]) for d in f.differences], ['refused: token_weights.json: no'])
        self.assertEqual(registries.ours_of({'refused': 'a/b: no'}), registries.REFUSED)
        worker.ours = mock.Mock(ask=lambda question: {'error': 'a child has ended'})
        with self.assertRaisesRegex(ConformanceError, 'a child has ended'):
            worker.score([{}])
        with self.assertRaisesRegex(ConformanceError, 'a child has ended'):
            registries.ours_of({'error': 'a child has ended'})
        worker.both = mock.Mock(side_effect=Refused('emission_share'))
        self.assertEqual([d.theirs for d in worker.play('world', CASE).differences], ['refused: emission_share'])
        worker.both = mock.Mock(side_effect=ValueError('not of the loader'))
        with self.assertRaisesRegex(ValueError, 'not of the loader'):
            worker.play('world', CASE)

    def test_weights_of_the_history_give_no_case(self) -> None:
        worker: Any = Worker.__new__(Worker)
        worker.validator = mock.Mock(_folder=mock.Mock())
        worker.score = lambda files, **weights: [Found('pair', 0, 1, [DECAY], CASE)]
        with TemporaryDirectory() as folder:
            worker.validator._folder.name = folder
            for name in ('programming_languages.json', 'token_weights.json'):
                (Path(folder) / name).write_text('{}')
            self.assertEqual([f.case for f in worker.weigh({}, {}, [])], [None])
