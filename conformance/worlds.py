"""Worlds from a seed: registries, miners, pull requests and issues, so that each rule decides something in some of them.

A case is a world with the rounds that are run over it. A later round may have other answers, another registry and other
miners, may fail requests and may not reach identities. Values lie on the edges of the rules on purpose: an instant at
the very end of a grace period, a count at its threshold.
"""

import copy
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from conformance import texts
from conformance.draws import (
    BEGINS,
    ELIGIBILITY,
    ENDS,
    FOLDERS,
    LABELS,
    MAINTAINER,
    ODD_NAMES,
    REPOSITORY,
    SCORING,
    SECOND,
    TIME_DECAY,
    drawn,
    instant,
    iso,
)
from conformance.texts import WORDS


class World:
    """One world, while it is made."""

    def __init__(self, r: random.Random):
        self.r = r
        self.as_of = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=r.randrange(90), minutes=r.randrange(1440))
        self.registry, self.repositories = self._registry()
        self.miners = self._miners()
        self.people = list(dict.fromkeys(m['github_id'] for m in self.miners))
        self.people += [str(r.randrange(10**8, 2 * 10**8)) for _ in range(2)]  # nobody's accounts
        self.login = {p: f'{r.choice(WORDS)}-{p[-3:]}' for p in self.people}
        self.skill = {p: r.choice([0.97, 0.9, 0.8, 0.5]) for p in self.people}
        self.number = dict.fromkeys(self.repositories, 1)
        self.merged: list[tuple[str, dict[str, Any], str]] = []
        self.mirror: dict[str, dict[str, Any]] = {
            'pulls': {p: [] for p in self.people},
            'issues': {p: [] for p in self.people},
            'open_issues': {p: [] for p in self.people},
            'files': {},
            'maintainers': self._maintainers(),
        }
        for person in self.people:
            for repository in self.repositories:
                self._pulls(person, repository)
        for person in self.people:
            for repository in self.repositories:
                self._issues(person, repository)
        for person in self.people[-2:]:
            for kind in ('pulls', 'issues', 'open_issues'):
                del self.mirror[kind][person]

    def _registry(self) -> tuple[dict[str, Any], list[str]]:
        r, registry, names, share = self.r, {}, [], 1.0
        for i in range(r.randint(2, 4)):
            name = f'{r.choice(WORDS)}/{r.choice(WORDS)}-{i}'
            mine = round(r.choice([0, 0.05, 0.1, 0.2, 0.25]) if share > 0.3 else share * r.random() * 0.8, 4)
            share -= mine
            settings = {'emission_share': mine, **drawn(r, REPOSITORY)}
            if r.random() < 0.6:
                settings['eligibility'] = drawn(r, ELIGIBILITY)
            if r.random() < 0.5:
                settings['scoring'] = drawn(r, SCORING)
                if r.random() < 0.5:
                    settings['scoring']['time_decay'] = drawn(r, TIME_DECAY)
            registry[name.title() if r.random() < 0.2 else name] = settings
            names.append(name)
        return registry, names

    def _miners(self) -> list[dict[str, Any]]:
        r, miners = self.r, []
        uids = set(r.sample(range(1, 140), r.randint(3, 6))) | ({0} if r.random() < 0.6 else set()) | ({111} if r.random() < 0.7 else set())
        for uid in sorted(uids):
            token = r.choices(['valid', 'none', 'stale', 'refused'], [30, 1, 1, 1])[0]
            m = {
                'uid': uid,
                'hotkey': f'hk{uid:03d}{r.randrange(10**12):012d}',
                'github_id': str(r.randrange(10_000, 99_000_000)),
                'token': 'none' if uid == 111 else token,
            }
            if r.random() < 0.02:
                m['hotkey'] = ''
            if miners and r.random() < 0.06:
                m['github_id'] = miners[-1]['github_id']
            miners.append(m)
        return miners

    def _maintainers(self) -> dict[str, list[Any]]:
        r = self.r
        return {
            x: [
                {'github_id': r.choice([p, int(p)]), 'login': self.login[p], 'association': r.choice(MAINTAINER)}
                for p in r.sample(self.people, r.randrange(0, 3))
            ]
            for x in self.repositories
        }

    def _settings(self, repository: str) -> dict[str, Any]:
        return next(v for k, v in self.registry.items() if k.lower() == repository)

    def _back(self, hours: float) -> datetime:
        return (self.as_of - timedelta(hours=hours)).replace(microsecond=self.r.choice([0, 0, 0, 250_000]))

    def _merge_instant(self, repository: str) -> datetime:
        """Often days ago, sometimes at the very end of the grace period or a second beside it."""
        grace = self._settings(repository).get('scoring', {}).get('time_decay', {}).get('grace_period_hours', 12)
        if self.r.random() < 0.25:
            return self.as_of - timedelta(hours=grace) + self.r.choice([-SECOND, timedelta(0), timedelta(0), SECOND])
        return self._back(self.r.choice([self.r.uniform(0, 40), self.r.uniform(0, 240), self.r.uniform(0, 700)]))

    def _labels(self) -> list[dict[str, Any]]:
        r = self.r
        return [
            {
                'name': r.choice(LABELS),
                'actor_github_id': r.choice([None, '5']),
                'actor_association': r.choice(MAINTAINER + ['NONE', None, 'CONTRIBUTOR']),
            }
            for _ in range(r.choice([0, 0, 1, 1, 2, 3]))
        ]

    def _review(self) -> dict[str, int]:
        r = self.r
        return {
            'maintainer_changes_requested_count': r.choices([0, 1, 2, 7, 9], [10, 3, 2, 1, 0.5])[0],
            'changes_requested_count': r.randrange(9),
            'approved_count': r.choice([0, 1, 2]),
            'commented_count': r.randrange(5),
        }

    def _pulls(self, person: str, repository: str) -> None:
        r = self.r
        if r.random() < 0.4:
            return
        for _ in range(r.choice([1, 2, 3, 4, 6])):
            number = self.number[repository]
            self.number[repository] += 1
            state = r.choices(
                ['MERGED', 'CLOSED', 'OPEN', 'DRAFT'], [10 * self.skill[person], 10 * (1 - self.skill[person]) + 0.3, 2.5, 0.1]
            )[0]
            pull = self._pull(person, repository, number, state)
            if r.random() < 0.01:
                del pull[r.choice(['created_at', 'state', 'pr_number'])]
            if r.random() < 0.01:
                pull['created_at'] = 'yesterday'
            self.mirror['pulls'][person].append(pull)
            if pull.get('pr_number') and pull['scoring_data_stored']:
                self._files(repository, pull)
            if state == 'MERGED' and pull.get('merged_at') and pull.get('pr_number'):
                self.merged.append((repository, pull, person))

    def _pull(self, person: str, repository: str, number: int, state: str) -> dict[str, Any]:
        r = self.r
        merged = self._merge_instant(repository)
        created = merged - timedelta(hours=r.uniform(1, 90))
        spelled = repository.title() if r.random() < 0.1 else repository
        pull = {
            'repo_full_name': spelled,
            'pr_number': number,
            'title': 't',
            'state': state,
            'author_github_id': r.choice([person, int(person)]),
            'author_login': self.login[person],
            'author_association': r.choices(['NONE', 'CONTRIBUTOR', None, 'MEMBER'], [8, 6, 2, 0.4])[0],
            'created_at': iso(created),
            'closed_at': iso(merged) if state in ('MERGED', 'CLOSED') else None,
            'merged_at': iso(merged) if state == 'MERGED' and r.random() > 0.02 else None,
            'last_edited_at': None,
            'edited_after_merge': r.random() < 0.06,
            'hours_since_merge': 1.0,
            'merged_by_login': r.choices(['maintainer', self.login[person], self.login[person].upper(), None], [12, 1, 0.5, 1])[0],
            'base_ref': r.choices(['main', 'dev', 'x-dev', 'release/1', 'test', None], [14, 2, 1, 1, 1, 0.4])[0],
            'head_ref': r.choices(['feature', 'dev', 'main', 'feat1', None], [10, 1, 1, 1, 1])[0],
            'head_repo_full_name': r.choices([f'{self.login[person]}/fork', spelled, None], [8, 3, 1])[0],
            'default_branch': r.choices(['main', None, 'dev'], [10, 1, 0.5])[0],
            'head_sha': f'{r.randrange(16**8):08x}',
            'base_sha': f'{r.randrange(16**8):08x}',
            'merge_base_sha': r.choice([None, f'{r.randrange(16**8):08x}']),
            'additions': 0,
            'deletions': 0,
            'commits_count': r.randrange(1, 9),
            'scoring_data_stored': r.random() < 0.94,
            'review_summary': self._review(),
            'labels': self._labels(),
            'linked_issues': [],
        }
        for _ in range(r.choice([0, 0, 0, 1, 1, 2])):
            pull['linked_issues'].append(self._linked(person, repository, number, created, merged))
        return pull

    def _linked(self, person: str, repository: str, pull: int, created: datetime, merged: datetime) -> dict[str, Any]:
        r, number = self.r, self.number[repository]
        self.number[repository] += 1
        closed = merged + r.choice(
            [
                timedelta(0),
                timedelta(hours=2),
                timedelta(hours=24),
                timedelta(hours=24) + SECOND,
                -SECOND,
                timedelta(hours=0.1),
                timedelta(hours=50),
            ]
        )
        return {
            'number': number,
            'title': 't',
            'state': r.choices(['CLOSED', 'OPEN'], [6, 1])[0],
            'state_reason': r.choices(['COMPLETED', 'NOT_PLANNED', None, 'REOPENED'], [9, 1, 1, 0.5])[0],
            'author_github_id': r.choices([r.choice(self.people), int(r.choice(self.people)), None, person], [6, 3, 0.5, 1])[0],
            'author_association': r.choice(['NONE', 'OWNER', 'MEMBER', None, 'CONTRIBUTOR']),
            'created_at': r.choice(
                [iso(created - timedelta(hours=5)), iso(created - timedelta(hours=5)), iso(created), iso(created + SECOND), None]
            ),
            'closed_at': r.choice([iso(closed), iso(closed), None]),
            'updated_at': None,
            'is_transferred': r.random() < 0.05,
            'solved_by_pr': r.choices([pull, None, pull + 1], [6, 3, 1])[0],
            'labels': [],
        }

    def _files(self, repository: str, pull: dict[str, Any]) -> None:
        """The answer on a pull request's files, whose lines the list counts too, as on a mirror at rest."""
        r = self.r
        files = [self._file(i) for i in range(r.choice([0, 1, 1, 1, 2, 3]) if r.random() > 0.03 else 0)]
        pull['additions'], pull['deletions'] = sum(f['additions'] for f in files), sum(f['deletions'] for f in files)
        self.mirror['files'][f'{repository}#{pull["pr_number"]}'] = {
            'repo_full_name': pull['repo_full_name'],
            'pr_number': pull['pr_number'],
            'head_sha': pull['head_sha'],
            'base_sha': pull['base_sha'],
            'merge_base_sha': pull['merge_base_sha'],
            'scoring_data_stored': r.random() < 0.97,
            'files': files,
        }

    def _file(self, i: int) -> dict[str, Any]:
        r = self.r
        extension, base, head = texts.made(r)
        name = r.choice(FOLDERS) + r.choice(BEGINS) + r.choice(WORDS) + str(i) + r.choice(ENDS) + '.' + extension
        kind = r.random()
        if kind < 0.3:
            sample = r.choice([s for s in texts.samples() if len(s.head) < 4000])
            name, head, base = sample.path, sample.head, texts.mutate(r, sample.base or sample.head)
        elif kind < 0.35:
            name = r.choice(ODD_NAMES)
        elif kind < 0.355:
            name, (base, head) = f'src/large{i}.py', texts.at_limit(r)
        elif kind < 0.36:
            name, base, head = f'src/many{i}.py', '', texts.python(r, texts.MANY)
        status = r.choices(['added', 'modified', 'removed', 'renamed', 'copied', 'changed'], [5, 9, 1, 1, 0.3, 0.3])[0]
        added, deleted = r.randrange(1, 400), r.randrange(0, 200)
        file = {
            'filename': name,
            'previous_filename': name + '.old' if status == 'renamed' else None,
            'status': status,
            'additions': added,
            'deletions': deleted,
            'changes': added + deleted,
            'is_binary': False,
            'byte_size': len(head.encode()),
            'head_content': None if status == 'removed' else head,
            'base_content': None if status == 'added' else base,
        }
        odd = r.random()
        if odd < 0.03:
            file.update(is_binary=True, head_content=None, base_content=None)
        elif odd < 0.05:
            file['base_content'] = None
        elif odd < 0.06:
            file['head_content'] = ''
        return file

    def _issues(self, person: str, repository: str) -> None:
        r, mine = self.r, [t for t in self.merged if t[0] == repository]
        if not mine or r.random() < 0.3:
            return
        for _ in range(r.choice([1, 2, 4, 5])):
            issue = self._issue(person, repository, *r.choice(mine)[1:])
            if r.random() < 0.01:
                del issue[r.choice(['issue_number', 'state'])]
            self.mirror['issues'][person].append(issue)
            if issue.get('state') == 'OPEN':
                self.mirror['open_issues'][person].append(issue)
        for _ in range(r.choice([0, 0, 1, 3])):
            number = self.number[repository]
            self.number[repository] += 1
            self.mirror['open_issues'][person].append(
                {
                    'repo_full_name': r.choice([repository, repository, 'other/elsewhere']),
                    'issue_number': number,
                    'title': 't',
                    'state': 'OPEN',
                    'author_github_id': person,
                    'solved_by_pr': None,
                    'labels': [],
                }
            )

    def _issue(self, person: str, repository: str, pull: dict[str, Any], solver: str) -> dict[str, Any]:
        r, number = self.r, self.number[repository]
        self.number[repository] += 1
        merged = instant(pull['merged_at'])
        state = r.choices(['CLOSED', 'OPEN'], [6, 1])[0]
        solved = state == 'CLOSED' and r.random() < 0.88
        created = merged - timedelta(hours=r.choice([10, 20, 30, 48, 48, r.uniform(1, 400)]))
        return {
            'repo_full_name': repository.title() if r.random() < 0.1 else repository,
            'issue_number': number,
            'title': 't',
            'state': state,
            'state_reason': r.choices(['COMPLETED', 'NOT_PLANNED', None], [14, 1, 1])[0] if state == 'CLOSED' else None,
            'author_github_id': r.choices([person, int(person), None], [10, 5, 0.3])[0],
            'author_login': self.login[person],
            'author_association': r.choices(['NONE', 'CONTRIBUTOR', None, 'MEMBER'], [8, 4, 2, 0.5])[0],
            'created_at': iso(created) if r.random() > 0.05 else None,
            'closed_at': pull['merged_at'] if state == 'CLOSED' else None,
            'updated_at': None,
            'last_edited_at': r.choices([None, iso(merged - timedelta(hours=1)), iso(merged), iso(merged + SECOND)], [10, 2, 1, 0.7])[0],
            'is_transferred': r.random() < 0.03,
            'solved_by_pr': r.choice([pull['pr_number']] * 14 + [0]) if solved else None,
            'labels': [],
            'solving_pr': self._solving(pull, solver) if solved and r.random() > 0.02 else None,
        }

    def _solving(self, pull: dict[str, Any], solver: str) -> dict[str, Any]:
        r = self.r
        same = {
            k: pull[k]
            for k in ('pr_number', 'head_sha', 'base_sha', 'merge_base_sha', 'head_ref', 'head_repo_full_name', 'default_branch', 'labels')
        }
        return {
            **same,
            'author_github_id': r.choice([solver, int(solver)]),
            'state': r.choices(['MERGED', 'CLOSED', 'OPEN'], [24, 1, 0.5])[0],
            'merged_at': pull['merged_at'] if r.random() > 0.02 else None,
            'hours_since_merge': 1.0,
            'edited_after_merge': r.random() < 0.05,
            'base_ref': r.choice([pull['base_ref'], None]),
            'review_summary': {'maintainer_changes_requested_count': r.choices([0, 1, 3], [8, 2, 1])[0]},
        }


def _failures(r: random.Random, mirror: dict[str, Any]) -> list[str]:
    """Requests that fail in a round, by the simulated mirror's keys."""
    fail = [f'{kind}:{person}' for person in mirror['pulls'] for kind in ('pulls', 'issues', 'open_issues') if r.random() < 0.2]
    fail += [f'files:{key}' for key in mirror['files'] if r.random() < 0.08]
    return fail + [f'maintainers:{name}' for name in mirror['maintainers'] if r.random() < 0.3]


def _changed(r: random.Random, mirror: dict[str, Any]) -> dict[str, Any]:
    """Other answers: some items are gone, and some lists have turned."""
    other = copy.deepcopy(mirror)
    for kind in ('pulls', 'issues', 'open_issues'):
        for person, items in other[kind].items():
            other[kind][person] = [i for i in items if r.random() > 0.15]
            if r.random() < 0.3:
                other[kind][person].reverse()
    return other


def case(seed: int) -> dict[str, Any]:
    """The case of a seed. The same seed gives the same case, whatever else the process did."""
    r = random.Random(seed)
    world = World(r)
    rounds: list[dict[str, Any]] = [{'as_of': iso(world.as_of), 'fail': [], 'unreachable_identity': []}]
    if r.random() < 0.3:
        rounds[0]['fail'] = [f'files:{key}' for key in world.mirror['files'] if r.random() < 0.1]
    for k in range(r.choice([0, 1, 1, 2])):
        later = world.as_of + timedelta(hours=2 * (k + 1), minutes=r.randrange(60))
        number: dict[str, Any] = {
            'as_of': iso(later),
            'fail': _failures(r, world.mirror),
            'unreachable_identity': [m['uid'] for m in world.miners if r.random() < 0.1],
        }
        if r.random() < 0.4:
            m = r.choice(world.miners)
            number['miners'] = [{**x, 'hotkey': 'new' + x['hotkey'], 'token': 'valid'} if x is m else x for x in world.miners]
        if r.random() < 0.25:
            number['mirror'] = _changed(r, world.mirror)
        if r.random() < 0.25:
            number['registry'] = {k: {**v, **drawn(r, REPOSITORY)} for k, v in world.registry.items()}
        rounds.append(number)
    return {'seed': seed, 'registry': world.registry, 'miners': world.miners, 'mirror': world.mirror, 'rounds': rounds}
