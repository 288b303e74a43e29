import contextlib
import io
import subprocess
import unittest
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest import mock

from conformance import followed, packages, too_old, work
from conformance.__main__ import Run, arguments, main
from conformance.checkout import CONSTANTS, NEEDS, Checkout, ConformanceError
from conformance.report import Report


def fake(folder: str) -> Path:
    """A folder that has all files and names that the driver looks for, and nothing behind them."""
    root = Path(folder) / 'validator'
    for path, names in NEEDS.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('{}' if path.endswith('.json') else ''.join(f'{n} = 1\n' if n.isupper() else f'def {n}(): pass\n' for n in names))
    (root / 'uv.lock').write_text(
        '\n'.join(f'[[package]]\nname = "{n}"\nversion = "1.0"\nwheels = [{{ hash = "sha256:00" }}]' for n in packages.ROOTS)
    )
    return root


def commit(root: Path) -> None:
    for command in (['init'], ['add', '.'], ['-c', 'user.name=n', '-c', 'user.email=e', 'commit', '--allow-empty', '-m', 'm']):
        subprocess.run(['git', '-C', str(root), *command], check=True, capture_output=True)


class TestCheckout(unittest.TestCase):
    def refused(self, folder: Path | str, *parts: str) -> None:
        with self.assertRaises(ConformanceError) as e:
            Checkout(folder)
        for part in parts:
            self.assertIn(part, str(e.exception))

    def test_a_bad_checkout_is_named_by_what_it_lacks(self) -> None:
        with TemporaryDirectory() as folder:
            self.refused('', 'VALIDATOR=DIR is missing', 'git clone')
            self.refused(Path(folder) / 'absent', 'absent is no folder', 'git clone')
            self.refused(Path(folder), 'no checkout of the validator', CONSTANTS)
            root = fake(folder)
            Checkout(root)
            scan = root / 'gittensor/validator/issue_discovery/scan.py'
            scan.write_text('def another(): pass\n')
            self.refused(root, 'too old or too new', 'scan.py has no run_issue_discovery')
            scan.write_text('def (')
            self.refused(root, 'scan.py: line 1')
            scan.unlink()
            self.refused(root, 'too old or too new', 'no file gittensor/validator/issue_discovery/scan.py')

    def test_wrong_usage_is_exit_code_2(self) -> None:
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            self.assertEqual(main(['run', '/nowhere']), 2)
        self.assertIn('git clone', said.getvalue())

    def test_no_error_is_taken_for_a_difference(self) -> None:
        for error, said in (
            (
                TypeError("get_rewards() missing 'budget'"),
                'the driver does not fit this checkout: TypeError: get_rewards() missing',
            ),
            (BrokenProcessPool('a process ended'), 'the driver does not fit this checkout: BrokenProcessPool: a process ended'),
            (PermissionError(13, 'Permission denied', 'bin'), 'Permission denied'),
        ):
            with mock.patch('conformance.__main__.run', side_effect=error), contextlib.redirect_stderr(io.StringIO()) as stderr:
                self.assertEqual(main(['run', '/nowhere']), 2)
            self.assertIn(said, stderr.getvalue())

    def test_nothing_compared_is_no_pass(self) -> None:
        a = arguments().parse_args(['run', '/nowhere', '--worlds', '0', '--no-recorded'])
        comparison = Run.__new__(Run)
        comparison.a, comparison.report, comparison.found = a, Report(), []
        with (
            mock.patch('conformance.__main__.ProcessPoolExecutor'),
            mock.patch.object(Run, '_part', lambda self, pool, what, tasks: 10 if what == 'settings of a repository' else 0),
            mock.patch.multiple(Run, _state=lambda self: '', _pairs=lambda self: iter(()), create=True),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            comparison.checkout = comparison.program = comparison.namer = mock.MagicMock()
            with self.assertRaisesRegex(ConformanceError, 'nothing was compared'):
                comparison.all()
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            self.assertEqual(main(['run', '/nowhere', '--files', '-1']), 2)
        self.assertIn('--files', stderr.getvalue())

    def test_a_process_says_where_driver_and_checkout_part(self) -> None:
        def world(seed: int) -> None:
            raise TypeError('get_rewards() takes 4 arguments')

        with mock.patch.object(work, '_worker', SimpleNamespace(world=world)), self.assertRaises(ConformanceError) as e:
            work.do(('world', 1))
        self.assertRegex(str(e.exception), r'get_rewards\(\) takes 4 arguments \(.*test_checkout.py, line \d+, in world\)')

    def test_an_older_python_is_told_what_it_lacks(self) -> None:
        self.assertIn('this is Python 3.10, and the commands need 3.11', too_old((3, 10, 13)))
        self.assertEqual(too_old((3, 11)), '')

    def test_a_python_is_named_when_it_does_not_do(self) -> None:
        with TemporaryDirectory() as folder:
            checkout = Checkout(fake(folder))
            with self.assertRaisesRegex(ConformanceError, 'no-such-python is not there.*PYTHON='):
                packages.environment(checkout, 'no-such-python', Path(folder))
            shim = Path(folder) / 'python3.12'  # such as pyenv's, of a version that is not chosen
            shim.write_text('#!/bin/sh\necho no version is chosen >&2; exit 127\n')
            shim.chmod(0o755)
            with self.assertRaisesRegex(ConformanceError, 'python3.12 does not run: no version is chosen.*PYTHON='):
                packages.environment(checkout, str(shim), Path(folder))

    def test_packages_are_pinned_by_the_checkouts_hashes(self) -> None:
        with TemporaryDirectory() as folder:
            locked = Checkout(fake(folder)).locked()
        assert locked
        self.assertIn('numpy==1.0 \\\n    --hash=sha256:00', packages.requirements(locked))
        del locked['numpy']
        with self.assertRaisesRegex(ConformanceError, 'numpy'):
            packages.requirements(locked)
        pinned = packages.versions(packages.FALLBACK.read_text())
        state = followed.read()['packages']
        self.assertEqual({n: pinned[n] for n in state}, state, 'requirements.txt and followed.json are of one state')

    def test_each_file_that_the_driver_imports_holds_something_or_no_rule(self) -> None:
        with TemporaryDirectory() as folder:
            root = fake(folder)
            self.assertEqual(followed.unknown(Checkout(root)), [])
            (root / 'gittensor/validator/bonus.py').write_text('from gittensor.utils import extra\n')
            (root / 'gittensor/utils/extra.py').write_text('import os\n')
            reward = root / 'gittensor/validator/oss_contributions/reward.py'
            reward.write_text(reward.read_text() + 'def f():\n    from gittensor.validator.bonus import bonus\n')
            commit(root)
            new = ['gittensor/utils/extra.py', 'gittensor/validator/bonus.py']
            self.assertEqual(followed.unknown(Checkout(root)), new)
            lines = followed.changes(Checkout(root), 'HEAD')
            self.assertEqual(lines, [f'file      {f} is imported, and followed.py does not say what it holds' for f in new])
            with self.assertRaisesRegex(ConformanceError, 'extra.py holds: add it to HOLD or NO_RULE'):
                followed.follow(Checkout(root))

    def test_a_checkout_has_a_history_and_what_is_followed_is_in_it(self) -> None:
        with TemporaryDirectory() as folder:
            root = fake(folder)
            for command in (['run', str(root)], ['diff', str(root)], ['follow', str(root)]):
                with contextlib.redirect_stderr(io.StringIO()) as stderr:
                    self.assertEqual(main(command), 2)
                self.assertIn('has no .git', stderr.getvalue())
            commit(root)
            (root / CONSTANTS).write_text((root / CONSTANTS).read_text() + 'MORE = 1\n')
            with self.assertRaisesRegex(ConformanceError, 'not as its commit has it.*constants.py'):
                followed.follow(Checkout(root))

    def test_what_the_driver_replaces_is_in_the_followed_state(self) -> None:
        files = followed.read()['files']
        for path in NEEDS:
            self.assertTrue(path in files or path.endswith('master_repositories.json'), path)
        self.assertIn('gittensor/utils/uids.py', files)

    def test_what_has_changed_is_listed(self) -> None:
        with TemporaryDirectory() as folder:
            root = fake(folder)
            commit(root)
            checkout = Checkout(root)
            self.assertEqual(followed.changes(checkout, 'HEAD'), [])
            text = (root / CONSTANTS).read_text()
            (root / CONSTANTS).write_text(text.replace('TIME_DECAY_GRACE_PERIOD_HOURS = 1', 'TIME_DECAY_GRACE_PERIOD_HOURS = 2'))
            lines = followed.changes(checkout, 'HEAD')
            self.assertIn('constant  TIME_DECAY_GRACE_PERIOD_HOURS: 1 → 2', lines)
            self.assertIn(f'file      {CONSTANTS} has changed (constants)', lines)
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                self.assertEqual(main(['diff', str(root)]), 1, 'the product follows another state')
                self.assertEqual(main(['diff', str(root), '--since', 'HEAD']), 1)
                commit(root)
                self.assertEqual(main(['diff', str(root), '--since', 'HEAD']), 0)
