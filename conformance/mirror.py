"""The mirror of a round: it answers what a validator asks for from a case, and notes what it does not know.

A validator may catch the error that an unknown request gets. So it is kept too, and whoever plays a round looks at it.
"""

import copy
import re
import socket
from typing import Any

from conformance.checkout import ConformanceError, unfit

# The requests that there are, by their method.
KNOWN = [
    ('miners', r'/api/v1/miners/(?P<who>[^/]+)/(?P<kind>pulls|issues)', {'GET', 'POST'}),
    # A pull request without a number is asked for too.
    ('files', r'/api/v1/pulls/(?P<repository>[^/]+/[^/]+)/(?P<number>[^/]+)/files', {'GET'}),
    ('maintainers', r'/api/v1/repos/(?P<repository>[^/]+/[^/]+)/maintainers', {'GET'}),
]
WINDOWS = 'since_by_repo'


class Mirror:
    """Answers one round's requests. What the round fails, fails for good, with error."""

    def __init__(self, answers: Any, fail: set[str], error: type[Exception], noted: list[str]):
        self.answers, self.fail, self.error, self.noted = answers, fail, error, noted
        self.files = {k.lower(): v for k, v in answers['files'].items()}
        self.maintainers = {k.lower(): v for k, v in answers['maintainers'].items()}
        # Who was asked for, which list, and with which windows.
        self.windows: list[tuple[str, str, Any]] = []

    def answer(self, method: str, path: str, params: Any = None, json_body: Any = None, **more: Any) -> Any:
        if params or more:
            raise self._unknown(f'{method} {path} with {", ".join({**(params or {}), **more})}')
        for what, pattern, methods in KNOWN:
            found = re.fullmatch(pattern, path)
            if found and method in methods:
                return getattr(self, f'_{what}')(json_body, **found.groupdict())
        raise self._unknown(f'{method} {path}')

    def _unknown(self, request: str) -> ConformanceError:
        self.noted.append(f'it has no answer to {request}')
        return unfit(self.noted[-1])

    def _miners(self, body: Any, who: str, kind: str) -> Any:
        if body is not None and list(body) != [WINDOWS]:
            raise self._unknown(f'a request for the {kind} of a miner with the fields {", ".join(body)}')
        if kind == 'issues' and body is None:
            kind = 'open_issues'
        else:
            self.windows.append((who, kind, body[WINDOWS] if body else {}))
        if f'{kind}:{who}' in self.fail:
            raise self.error('failed by the case')
        items = copy.deepcopy(self.answers[kind].get(who, []))
        return {'github_id': who, 'since': None, 'generated_at': None, 'pull_requests' if kind == 'pulls' else 'issues': items}

    def _files(self, body: Any, repository: str, number: str) -> Any:
        key = f'{repository}#{number}'.lower()
        if f'files:{key}' in self.fail or key not in self.files:
            raise self.error('404, or failed by the case')
        return copy.deepcopy(self.files[key])

    def _maintainers(self, body: Any, repository: str) -> Any:
        key = repository.lower()
        if f'maintainers:{key}' in self.fail:
            raise self.error('failed by the case')
        return {'repo_full_name': key, 'generated_at': None, 'maintainers': self.maintainers.get(key, [])}


def cut_off(session: Any, noted: list[str]) -> None:
    """Takes the network from this process: a request of session, the class, and a connection of any kind are errors."""

    def refused(what: str) -> ConformanceError:
        noted.append(f'the validator reaches out past what is replaced: {what}')
        return unfit(noted[-1])

    def request(self: Any, method: str, url: str, *more: Any, **also: Any) -> Any:
        raise refused(f'{method} {url}')

    def send(self: Any, request: Any, **also: Any) -> Any:
        raise refused(f'{request.method} {request.url}')

    def connect(self: Any, address: Any) -> Any:
        raise refused(f'a connection to {address}')

    session.request, session.send = request, send
    socket.socket.connect = socket.socket.connect_ex = connect
