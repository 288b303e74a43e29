"""Shrinks a case to a smallest one that still differs by the same rule.

It leaves out rounds, miners, repositories, items, settings and lines of files, in halves first and then one by one
(Zeller's delta debugging), and keeps what the difference needs. Whoever asks says by a function whether a case still
differs.
"""

import copy
import time
from collections.abc import Callable
from typing import Any

Case = dict[str, Any]
Differs = Callable[[Case], bool]
# Shrinking stops here, and gives the smallest case so far: a minute is promised.
SECONDS = 50.0


class Shrinker:
    """One shrinking, with its time."""

    def __init__(self, case: Case, differs: Differs, seconds: float = SECONDS):
        self.case = copy.deepcopy(case)
        self.case.pop('expected', None)
        self.differs = differs
        self.until = time.monotonic() + seconds

    def shrink(self) -> Case:
        """Repeats all steps until none makes the case smaller."""
        while True:
            before = _size(self.case)
            self._rounds()
            self._miners()
            self._repositories()
            self._answers()
            self._settings()
            self._texts()
            if _size(self.case) >= before or self._late():
                return self.case

    def _late(self) -> bool:
        return time.monotonic() > self.until

    def _try(self, change: Callable[[Case], None]) -> bool:
        """Keeps a change if the case still differs."""
        if self._late():
            return False
        other = copy.deepcopy(self.case)
        change(other)
        if not self.differs(other):
            return False
        self.case = other
        return True

    def _fewer(self, count: int, drop: Callable[[Case, int, int], None]) -> None:
        """Leaves out items of a list of count items: drop takes those from start to end out of a case."""
        size = count
        while size:
            start = 0
            while start < count:
                end = min(start + size, count)
                if self._try(lambda c: drop(c, start, end)):
                    count -= end - start
                else:
                    start = end
                if self._late():
                    return
            size //= 2

    def _rounds(self) -> None:
        if len(self.case['rounds']) == 1:
            return

        def drop(c: Case, start: int, end: int) -> None:
            gone = c['rounds'][start:end]
            del c['rounds'][start:end]
            if not c['rounds']:
                return
            for number in gone:  # what a round brings is in force after it
                for key in ('mirror', 'registry'):
                    if number.get(key) and start == 0:
                        c[key] = number[key]

        self._try(lambda c: drop(c, 0, len(c['rounds']) - 1))
        i = 0
        while i < len(self.case['rounds']) and len(self.case['rounds']) > 1:
            if not self._try(lambda c: drop(c, i, i + 1)):
                i += 1
        for key in ('miners', 'mirror', 'registry'):
            for i, number in enumerate(self.case['rounds']):
                if number.get(key):
                    self._try(lambda c: c['rounds'][i].pop(key))
                if i == 0 and self.case['rounds'][0].get(key):
                    self._try(lambda c: c.update({key: c['rounds'][0].pop(key)}))

    def _miners(self) -> None:
        def drop(c: Case, start: int, end: int) -> None:
            gone = {m['uid'] for m in c['miners'][start:end]}
            for holder in [c, *c['rounds']]:
                if holder.get('miners'):
                    holder['miners'] = [m for m in holder['miners'] if m['uid'] not in gone]

        self._fewer(len(self.case['miners']), drop)
        self._try(_tidy)

    def _repositories(self) -> None:
        def drop(c: Case, start: int, end: int) -> None:
            gone = {k.lower() for k in list(c['registry'])[start:end]}
            for holder in [c, *c['rounds']]:
                if holder.get('registry'):
                    holder['registry'] = {k: v for k, v in holder['registry'].items() if k.lower() not in gone}

        self._fewer(len(self.case['registry']), drop)

    def _answers(self) -> None:
        """Items of every list that the mirror answers with, and what is inside them."""
        for at, mirror in _mirrors(self.case):
            for kind in ('pulls', 'issues', 'open_issues', 'maintainers'):
                for key in list(mirror.get(kind, {})):
                    self._list(lambda c: _mirror(c, at)[kind].get(key, []))
            self._try(_tidy)
            for kind, parts in (('pulls', ('labels', 'linked_issues')), ('issues', ())):
                for key, items in list(_mirror(self.case, at)[kind].items()):
                    for i in range(len(items)):
                        for part in parts:
                            self._list(lambda c: _mirror(c, at)[kind][key][i].get(part, []))
            for key in list(_mirror(self.case, at)['files']):
                self._list(lambda c: _mirror(c, at)['files'][key]['files'])
                self._try(lambda c: _mirror(c, at)['files'].pop(key))
        for i in range(len(self.case['rounds'])):
            for key in ('fail', 'unreachable_identity'):
                self._list(lambda c: c['rounds'][i].get(key) or [])

    def _list(self, of: Callable[[Case], list[Any]]) -> None:
        def drop(c: Case, start: int, end: int) -> None:
            del of(c)[start:end]

        self._fewer(len(of(self.case)), drop)

    def _settings(self) -> None:
        for name in list(self.case['registry']):
            for path in _settings(self.case['registry'][name]):
                self._try(lambda c: _remove(c['registry'][name], path))

    def _texts(self) -> None:
        """Lines of the files that are left."""
        for at, mirror in _mirrors(self.case):
            for key, answer in list(mirror['files'].items()):
                for i in range(len(answer['files'])):
                    for side in ('head_content', 'base_content'):
                        self._lines(at, key, i, side)

    def _lines(self, at: int, key: str, i: int, side: str) -> None:
        def file(c: Case) -> dict[str, Any]:
            return _mirror(c, at)['files'][key]['files'][i]

        def drop(c: Case, start: int, end: int) -> None:
            lines = file(c)[side].split('\n')
            file(c)[side] = '\n'.join(lines[:start] + lines[end:])

        if file(self.case)[side]:
            self._fewer(len(file(self.case)[side].split('\n')), drop)


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(_size(v) for v in value.values())
    if isinstance(value, list):
        return 1 + sum(_size(v) for v in value)
    return 1 + (len(value.split('\n')) if isinstance(value, str) else 0)


def _mirrors(case: Case) -> list[tuple[int, Any]]:
    """The answers of a case: its own are number -1, those of a round have the round's number."""
    return [(-1, case['mirror'])] + [(i, n['mirror']) for i, n in enumerate(case['rounds']) if n.get('mirror')]


def _mirror(case: Case, at: int) -> Any:
    return case['mirror'] if at < 0 else case['rounds'][at]['mirror']


def _tidy(case: Case) -> None:
    """Takes out what nobody can ask for: lists of people who are no miners, files that no item names, failures of both."""
    people = {m['github_id'] for holder in [case, *case['rounds']] for m in holder.get('miners') or []}
    named: set[str] = set()
    for _, mirror in _mirrors(case):
        for kind in ('pulls', 'issues', 'open_issues'):
            mirror[kind] = {p: items for p, items in mirror[kind].items() if p in people}
        for items in mirror['pulls'].values():
            named |= {f'{p["repo_full_name"]}#{p.get("pr_number")}'.lower() for p in items}
        for items in mirror['issues'].values():
            named |= {f'{i["repo_full_name"]}#{i["solving_pr"]["pr_number"]}'.lower() for i in items if i.get('solving_pr')}
        mirror['files'] = {k: v for k, v in mirror['files'].items() if k.lower() in named}
    for number in case['rounds']:
        number['fail'] = [
            f for f in number.get('fail') or [] if f.partition(':')[0] == 'maintainers' or f.partition(':')[2].lower() in named | people
        ]


def _settings(repository: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The settings of a repository that have a default, wholes before their parts."""
    found = []
    for key, value in repository.items():
        if (*path, key) == ('emission_share',):
            continue
        found.append((*path, key))
        if isinstance(value, dict):
            found += _settings(value, (*path, key))
    return found


def _remove(repository: dict[str, Any], path: tuple[str, ...]) -> None:
    for key in path[:-1]:
        repository = repository.get(key, {})
    repository.pop(path[-1], None)
