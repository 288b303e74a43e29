"""Commands: run compares, diff says what has changed, record writes cases anew, follow records the state that is followed."""

import argparse
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from conformance import followed, ours, packages, pairs, registries, texts, worlds
from conformance.checkout import WEIGHTS, Checkout, ConformanceError, misfit
from conformance.compare import Comparison, Difference
from conformance.naming import Name, Namer, rule_of
from conformance.report import Report
from conformance.shrink import Shrinker
from conformance.work import ROOT, Found, Worker, do, start, write

FOUND, USAGE = 1, 2
# The recorded cases of the project.
CASES = ROOT / 'worker/parity/testdata/rounds'
# A pair's share of a question: enough to spare round trips, few enough that both processes end together.
CHUNK = 40
# One world of so many also goes through real processes.
REAL = 50
# So many rules are shown by a smallest case. All are named.
SHRUNK = 10


def arguments() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog='python -m conformance', description=__doc__)
    commands = p.add_subparsers(dest='command', required=True)
    run = commands.add_parser('run', help='compare the product with a checkout: exit 1 if they differ, 2 if they could not be compared')
    run.add_argument('validator', help='a git checkout of the validator')
    run.add_argument('--worlds', type=int, default=1000, metavar='N', help='worlds from the seed (default 1000)')
    run.add_argument('--seed', type=int, default=1, help='the first world, and the seed of all else (default 1)')
    run.add_argument('--files', type=int, metavar='N', help='pairs of files (default ten for each world)')
    run.add_argument('--pairs', default='', metavar='DIR,…', help='git repositories whose histories give half of the pairs')
    run.add_argument('--processes', type=int, default=2, help='processes that compare (default 2)')
    run.add_argument('--no-recorded', action='store_true', help="leave out the project's own cases, registries and weights")
    run.add_argument('--no-real', action='store_true', help='leave out real processes')
    record = commands.add_parser('record', help="play the project's cases by a checkout, and write those whose figures have changed")
    record.add_argument('validator', help='a git checkout of the validator')
    record.add_argument('cases', nargs='*', help='more cases to take in, such as bin/conform/differ/rounds/RULE.json')
    for command in (run, record):
        command.add_argument('--python', default='python3.12', help='a Python of 3.12 or later to make the environment with')
        command.add_argument('--go', default='go')
        command.add_argument('--grammars', default=os.environ.get('MIRRORFLEET_GRAMMARS') or str(ROOT / 'bin/grammars'))
        command.add_argument('--folder', default=str(ROOT / 'bin/conform'), help='where the environment is made and cases are written')
        command.add_argument('--inside', action='store_true', help=argparse.SUPPRESS)
    diff = commands.add_parser(
        'diff', help='what has changed in a checkout since the state that the product follows: exit 1 if anything has'
    )
    diff.add_argument('validator')
    diff.add_argument('--since', metavar='COMMIT', help='another state to begin from (default: the one in followed.json)')
    follow = commands.add_parser('follow', help='record a checkout as the state that the product follows')
    follow.add_argument('validator')
    return p


def main(argv: list[str]) -> int:
    a = arguments().parse_args(argv)
    try:
        if a.command == 'run':
            return run(a, argv)
        if a.command == 'record':
            return record(a, argv)
        checkout = Checkout(a.validator)
        checkout.needs_history()
        if a.command == 'follow':
            print(followed.follow(checkout))
            return 0
        return diff(checkout, a.since)
    except (ConformanceError, OSError) as e:
        print(f'conform: {e}', file=sys.stderr)
    except Exception as e:  # Python would end with 1, which means a difference
        print(f'conform: {misfit(e)}', file=sys.stderr)
    return USAGE


def diff(checkout: Checkout, since: str | None) -> int:
    state = followed.read()
    begin = since or f'{state["commit"][:12]} of {state["date"]}, which the product follows'
    lines = followed.changes(checkout, since)
    print(f'{checkout.folder} at {checkout.commit()[:12]}, since {begin}:')
    if not lines:
        print('no rule, weight, constant or parser version has changed')
        return 0
    print('\n'.join(lines))
    print('The product is behind if a score changes: make conform VALIDATOR=… shows it. CONTRIBUTING.md#change-a-rule is the recipe.')
    return FOUND


def enter(a: argparse.Namespace, argv: list[str]) -> Checkout:
    """Checks what a comparison needs, and goes on in the environment that the checkout pins."""
    checkout = Checkout(a.validator)
    if not a.inside:
        python = packages.environment(checkout, a.python, Path(a.folder))
        os.execve(str(python), [str(python), '-B', '-m', 'conformance', *argv, '--inside'], {**os.environ, 'PYTHONPATH': str(ROOT)})
    packages.check_imports()
    if not (Path(a.grammars) / 'manifest.json').is_file():
        raise ConformanceError(f'{a.grammars} has no grammars: make grammars')
    return checkout


def run(a: argparse.Namespace, argv: list[str]) -> int:
    if a.worlds < 0 or (a.files or 0) < 0 or a.processes < 1:
        raise ConformanceError('--worlds and --files are at least 0, and --processes at least 1')
    if not a.no_recorded:
        Checkout(a.validator).needs_history()
    comparison = Run(a, enter(a, argv))
    try:
        return comparison.all()
    finally:
        comparison.close()


def record(a: argparse.Namespace, argv: list[str]) -> int:
    """Writes what a checkout makes of the project's cases, where it is not what they say."""
    checkout = enter(a, argv)
    files = [*sorted(CASES.iterdir()), *map(Path, a.cases)]
    taken(files)
    worker = Worker(checkout, ours.build(ROOT, Path(a.folder), a.go), a.grammars)
    try:
        for file in files:
            case = worker.read(str(file))
            expected = [r['outcome'] for r in worker.validator.play(case)]
            c = Comparison()
            c.compare((), case.get('expected') or [], expected)
            if c.differences or file.parent.resolve() != CASES:
                name = CASES / f'{_name(file)}.json'
                write(name, case, expected)
                worker.ours.ask({'pack': str(name)})
                print(f'{name}.zst: {len(c.differences)} figures have changed')
    finally:
        worker.close()
    return 0


def outcomes(said: str) -> list[str]:
    """The lines by which the project's test of real processes says that an outcome is another one, and of which world."""
    lines, world = [], ''
    for line in said.splitlines():
        if named := re.search(r'^ *--- FAIL: TestRealPath/cases/(\S+)', line):
            world = named[1]
        if different := re.search(r'round \d+(?:\.\S+: got .*|: another outcome .*)', line):
            lines.append(f'world {int(world)}, {different[0]}' if world.isdigit() else different[0])
    return lines


def emptied(folder: Path) -> None:
    """Removes the cases that an earlier run wrote: one that is left would look like a difference."""
    for old in folder.glob('*.json'):
        old.unlink()


def _name(file: Path) -> str:
    return file.name.split('.')[0]


def taken(files: list[Path]) -> None:
    """Refuses a case whose name another one has: it would be written over that one."""
    names: dict[str, Path] = {}
    for file in files:
        if other := names.get(_name(file)):
            raise ConformanceError(f'{file} has the name of {other}: rename it first')
        names[_name(file)] = file


class Run:
    """One comparison of everything."""

    def __init__(self, a: argparse.Namespace, checkout: Checkout):
        self.a, self.checkout = a, checkout
        self.report = Report()
        self.namer = Namer(checkout, followed.read())
        self.folder = Path(a.folder)
        emptied(self.folder / 'differ' / 'rounds')
        self.program = ours.build(ROOT, self.folder, a.go)
        # Before any other process: what does not fit is said here, and would only end a process of the pool.
        self.worker = Worker(checkout, self.program, a.grammars)
        self.found: list[Found] = []

    def close(self) -> None:
        self.worker.close()

    def all(self) -> int:
        a, compared = self.a, 0
        print(f'{self.checkout.folder} at {self._state()}; the product follows {self.namer.followed["commit"][:12]}')
        with ProcessPoolExecutor(
            a.processes, get_context('spawn'), start, (str(self.checkout.folder), str(self.program), a.grammars)
        ) as pool:
            self._part(pool, 'settings of a repository', [('settings',)])
            compared += self._part(pool, 'worlds', [('world', a.seed + i) for i in range(a.worlds)])
            if not a.no_recorded:
                compared += self._part(pool, 'cases of the project', [('recorded', str(f)) for f in sorted(CASES.iterdir())])
                mutated = registries.registries(self.checkout, a.seed, 200)
                compared += self._part(pool, 'registries', [('registry', what, r) for what, r in mutated])
                compared += self._part(pool, 'pairs by weights of the history', list(self._weighed()))
            compared += self._part(pool, 'pairs of files', list(self._pairs()))
        if not compared and not self.found:
            raise ConformanceError('nothing was compared')
        different = self._different()
        if not a.no_real and a.worlds and not different:
            different = self._real()
        print(self.report)
        return FOUND if different else 0

    def _state(self) -> str:
        try:
            return self.checkout.commit()[:12]
        except ConformanceError:
            return 'no commit'

    def _part(self, pool: ProcessPoolExecutor, what: str, tasks: list[tuple[Any, ...]]) -> int:
        """Does tasks on all processes, and notes what they find. It returns how many figures were compared."""
        if not tasks:
            return 0
        began, part = time.monotonic(), []
        for found in pool.map(do, tasks, chunksize=4 if len(tasks) > 100 else 1):
            part += found
        self.found += [f for f in part if f.differences]
        self.report.part(what, part, time.monotonic() - began)
        print(self.report.last(), flush=True)
        return sum(f.values for f in part)

    def _pairs(self) -> Iterator[tuple[Any, ...]]:
        count = self.a.files if self.a.files is not None else 10 * self.a.worlds
        repositories = [p for p in self.a.pairs.split(',') if p]
        files: list[dict[str, Any]] = []
        extensions = set(self._languages())
        for repository in repositories:
            files += pairs.history(repository, self.a.seed, count // 2 // len(repositories), extensions)
        files += pairs.mutated(self.a.seed, count - len(files))
        for i in range(0, len(files), CHUNK):
            yield 'score', files[i : i + CHUNK]

    def _languages(self) -> list[str]:
        return re.findall(r'"(\w+)":', self.checkout.read(f'{WEIGHTS}/programming_languages.json'))

    def _weighed(self) -> Iterator[tuple[Any, ...]]:
        r = random.Random(self.a.seed)
        for _, languages, tokens in registries.weights(self.checkout):
            files = [pairs.file(s.path, s.base, s.head) for s in r.sample(texts.samples(), 20)]
            yield 'weigh', languages, tokens, files

    def _different(self) -> bool:
        """Names the rules that differ, and writes a smallest case of each."""
        by_rule: dict[str, list[Found]] = {}
        for f in self.found:
            by_rule.setdefault(rule_of(f.differences)[0], []).append(f)
        if not by_rule:
            return False
        for i, (rule, found) in enumerate(by_rule.items()):
            self._name(rule, found, i < SHRUNK)
        return True

    def _name(self, rule: str, found: list[Found], small: bool) -> None:
        """Reports a rule; with small, by a smallest case."""
        smallest = min((f for f in found if f.case), key=lambda f: len(str(f.case)), default=None)
        shrunk = self.shrink(rule, smallest) if smallest and small else None
        if smallest and shrunk:
            case, name, seconds = shrunk
            self.report.rule(name, len(found), smallest.what, self._write(rule, case), len(case['miners']), seconds)
        else:
            self.report.rule(self.namer.name(found[0].differences), len(found), found[0].what, None)

    def shrink(self, rule: str, found: Found) -> tuple[dict[str, Any], Name, float] | None:
        """The smallest case that differs by a rule, and the name of it; None if the case itself does not differ by it when it is
        played again."""

        def differences(case: dict[str, Any]) -> list[Difference]:
            try:
                return self.worker.play('', case).differences
            except Exception:  # no case that both can play
                return []

        def differs(case: dict[str, Any]) -> bool:
            d = differences(case)
            return bool(d) and rule_of(d)[0] == rule

        began = time.monotonic()
        assert found.case
        if not differs(found.case):
            return None
        case = Shrinker(found.case, differs).shrink()
        return case, self.namer.name(differences(case) or found.differences, self.worker.both(case)[0]), time.monotonic() - began

    def _write(self, rule: str, case: dict[str, Any]) -> Path:
        file = self.folder / 'differ' / 'rounds' / f'{re.sub("[^a-z]+", "-", rule)}.json'
        write(file, case, [r['outcome'] for r in self.worker.validator.play(case)])
        return file

    def _real(self) -> bool:
        """Plays one world of REAL through real processes, by the project's own test of them. It says whether they differ."""
        folder, began = self.folder / 'real', time.monotonic()
        emptied(folder / 'rounds')
        seeds = range(self.a.seed, self.a.seed + self.a.worlds, REAL)
        for seed in seeds:
            case = worlds.case(seed)
            write(folder / 'rounds' / f'{seed:06d}.json', case, [r['outcome'] for r in self.worker.validator.play(case)])
        done = subprocess.run(
            [str(self.program.resolve()), '-test.run', '^TestRealPath$', '-test.timeout', '2h', '-test.parallel', '4'],
            cwd=ROOT / 'worker/parity',
            env={
                **os.environ,
                'MIRRORFLEET_PARITY': str(folder.resolve()),
                'MIRRORFLEET_PARITY_REAL': 'all',
                'MIRRORFLEET_GRAMMARS': self.a.grammars,
            },
            capture_output=True,
            text=True,
        )
        said = outcomes(done.stdout) if done.returncode else []
        if done.returncode and not said:
            raise ConformanceError(f'could not play worlds through real processes:\n{done.stdout[-4000:]}{done.stderr[-2000:]}')
        self.report.real(len(seeds), said, time.monotonic() - began)
        print(self.report.last(), flush=True)
        return bool(said)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
