"""Compares what the product and the validator make of the same input. Equal means equal to the last bit."""

from typing import Any, NamedTuple

# Objects whose keys are data: both sides must have the same. Of other objects the product may say more.
KEYED = {
    'maintainers',
    'rewards',
    'miners',
    'repositories',
    'maintainer_rewards',
    'pr_scores',
    'issue_discovery_scores',
    'pr_rewards',
    'issue_discovery_rewards',
    'pull_requests',
    'scored_issues',
    'pulls',
    'issues',
}
# Lists of things that have a name, by the fields that are the name.
NAMED = {
    'pull_requests': ('repository', 'number'),
    'scored_issues': ('repository_full_name', 'number'),
    'emission': ('repository_full_name',),
    'file list': ('filename',),
}
ABSENT = 'absent'
Path = tuple[str, ...]


class Difference(NamedTuple):
    """One figure that is not the same. The path begins with the number of the round."""

    path: Path
    ours: Any
    theirs: Any

    def __str__(self) -> str:
        return f'{".".join(self.path)}: ours {self.ours!r}, the validator {self.theirs!r}'


class Comparison:
    """Collects differences, and counts what was compared."""

    def __init__(self) -> None:
        self.values = 0
        self.differences: list[Difference] = []

    def compare(self, path: Path, ours: Any, theirs: Any) -> None:
        key = path[-1] if path else ''
        if key in NAMED and isinstance(ours, list) and isinstance(theirs, list):
            self._named(path, ours, theirs)
        elif isinstance(theirs, dict):
            self._object(path, key, ours, theirs)
        elif isinstance(theirs, (list, tuple)):
            if not isinstance(ours, list) or len(ours) != len(theirs):
                self._differ(path, ours, theirs)
                return
            for i, value in enumerate(theirs):
                self.compare((*path, str(i)), ours[i], value)
        else:
            self.values += 1
            if ours != theirs or isinstance(ours, bool) != isinstance(theirs, bool):
                self._differ(path, ours, theirs)

    def _object(self, path: Path, key: str, ours: Any, theirs: dict[str, Any]) -> None:
        if not isinstance(ours, dict):
            self._differ(path, ours, theirs)
            return
        for k, value in theirs.items():
            if k in ours:
                self.compare((*path, k), ours[k], value)
            else:
                self._differ((*path, k), ABSENT, value)
        if key in KEYED:
            for k in ours:
                if k not in theirs:
                    self._differ((*path, k), ours[k], ABSENT)

    def _named(self, path: Path, ours: list[Any], theirs: list[Any]) -> None:
        """Compares things of the same name with each other, then the order in which they stand."""
        fields = NAMED[path[-1]]
        mine, other = _by_name(ours, fields), _by_name(theirs, fields)
        for name in other:
            self.compare((*path, name), mine.get(name, ABSENT), other[name])
        for name in mine:
            if name not in other:
                self._differ((*path, name), mine[name], ABSENT)
        if set(mine) == set(other) and list(mine) != list(other):
            self._differ((*path, 'order'), list(mine), list(other))

    def _differ(self, path: Path, ours: Any, theirs: Any) -> None:
        self.differences.append(Difference(path, ours, theirs))


def _by_name(items: list[Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """The items by name. The mirror may list a thing twice: the second has another name then."""
    named: dict[str, Any] = {}
    for item in items:
        name = '#'.join(str(item[f]) for f in fields)
        while name in named:
            name += '+'
        named[name] = item
    return named


def compare_rounds(ours: list[Any], theirs: list[Any]) -> Comparison:
    """Compares all rounds of a case: windows, files that both scored, outcomes."""
    c = Comparison()
    for i, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        number = str(i)
        windows = {k: instant(v) for k, v in mine['windows'].items()}  # the product asks for both lists of every miner with these
        for person, kind, asked in other['windows']:
            c.compare((number, 'windows', person, kind), windows, asked if asked == ABSENT else {k: instant(v) for k, v in asked.items()})
        for key in sorted(set(mine['files']) & set(other['files'])):
            c.compare((number, 'files', key, 'file list'), mine['files'][key], other['files'][key])
        c.compare((number,), mine['outcome'], other['outcome'])
    return c


def instant(text: str) -> str:
    """An instant in one spelling, to the microsecond that both clocks have."""
    text = text.replace('Z', '+00:00')
    whole, _, rest = text.partition('.')
    if not rest:
        return text.replace('+00:00', '')
    return f'{whole}.{rest.removesuffix("+00:00"):0<6}'.rstrip('0').rstrip('.')
