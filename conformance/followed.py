"""The state of the validator that the product follows, and how far a checkout is beyond it.

followed.json records that state: the commit, the parser's packages, the digests of the files that hold rules, and the
constants by which a difference is named. It is written by `python -m conformance follow` when the product has caught up.
"""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

from conformance.checkout import CONSTANTS, WEIGHTS, Checkout, ConformanceError, constants_in
from conformance.naming import CONSTANTS as NAMED
from conformance.packages import FALLBACK, requirements, versions

FILE = Path(__file__).with_name('followed.json')
# What the files hold that scores depend on. A file or folder that ends in / stands for all that is in it.
HOLD = {
    CONSTANTS: 'constants',
    'gittensor/classes.py': 'rules: sums, test files, stored evaluations',
    'gittensor/utils/mirror/': 'rules: how answers of the mirror are read',
    'gittensor/utils/github_api_tools.py': 'rules: branches',
    'gittensor/validator/oss_contributions/': 'rules: pull requests',
    'gittensor/validator/issue_discovery/': 'rules: issue discovery',
    'gittensor/validator/emission_allocation.py': 'rules: rewards',
    'gittensor/validator/forward.py': 'rules: the order of a round, maintainers',
    'gittensor/validator/utils/load_weights.py': 'rules: registry and weights',
    'gittensor/validator/utils/tree_sitter_scoring.py': 'rules: token scoring',
    'gittensor/validator/utils/isolated_scoring.py': 'rules: budget of token scoring',
    'gittensor/validator/utils/datetime_utils.py': 'rules: time decay',
    'gittensor/validator/utils/github_validation.py': 'rules: identities',
    'gittensor/validator/pat_storage.py': 'rules: which tokens are stored',
    'gittensor/utils/uids.py': 'rules: which miners there are',
    'neurons/validator.py': 'rules: fallback',
    f'{WEIGHTS}/programming_languages.json': 'weights of languages',
    f'{WEIGHTS}/token_weights.json': 'weights of node types',
}

# What the driver imports too, and what decides no score.
NO_RULE = {
    'gittensor/__init__.py': 'the version',
    'gittensor/utils/__init__.py': 'nothing',
    'gittensor/utils/logging.py': 'log lines',
    'gittensor/utils/models.py': 'rows of the database',
    'gittensor/utils/utils.py': 'waits between attempts',
    'gittensor/validator/__init__.py': 'nothing',
    'gittensor/validator/utils/__init__.py': 'nothing',
    'gittensor/validator/utils/config.py': 'intervals, variables',
}


def unknown(checkout: Checkout) -> list[str]:
    """The files that the driver imports, and of which nobody has said what they hold."""
    return sorted(f for f in checkout.imported() if f not in NO_RULE and not _holds(f))


def _holds(path: str) -> str | None:
    return next((w for p, w in HOLD.items() if path == p or (p.endswith('/') and path.startswith(p) and path.endswith('.py'))), None)


def read() -> dict[str, Any]:
    return json.loads(FILE.read_text())


def held(checkout: Checkout) -> dict[str, dict[str, str]]:
    """The files of a checkout that hold rules, with digest and what they hold."""
    found = {}
    for path, what in HOLD.items():
        files = (
            [path]
            if not path.endswith('/')
            else sorted(str(f.relative_to(checkout.folder)) for f in (checkout.folder / path).rglob('*.py'))
        )
        for file in files:
            digest = checkout.digest(file)
            if digest:
                found[file] = {'sha256': digest, 'holds': what}
    return found


def constants(values: dict[str, Any]) -> dict[str, Any]:
    """Those of a module's constants that a rule can be named by."""
    known = {c for of in NAMED.values() for c in of}
    return {c: values[c] for c in sorted(known) if c in values}


def state(checkout: Checkout) -> dict[str, Any]:
    """What followed.json says of a checkout."""
    return {
        'commit': checkout.commit(),
        'date': checkout.git('log', '-1', '--format=%cs').strip(),
        'packages': checkout.pinned(),
        'constants': constants(checkout.constants()),
        'files': held(checkout),
    }


def follow(checkout: Checkout) -> str:
    """Records a checkout as the state that the product follows."""
    if dirty := checkout.git('status', '--porcelain', '--untracked-files=no').strip():
        raise ConformanceError(f'{checkout.folder} is not as its commit has it, which is recorded: {dirty.splitlines()[0].strip()}')
    if more := unknown(checkout):
        raise ConformanceError(f'{FILE.with_suffix(".py")} does not say what {more[0]} holds: add it to HOLD or NO_RULE')
    now = state(checkout)
    FILE.write_text(json.dumps(now, indent=1, ensure_ascii=False) + '\n')
    locked = checkout.locked()
    if locked:
        FALLBACK.write_text(requirements(locked))
    return f'{FILE.name}: {now["commit"][:12]} of {now["date"]}, {len(now["files"])} files, {len(versions(FALLBACK.read_text()))} packages'


def changes(checkout: Checkout, start: str | None) -> list[str]:
    """What has changed in a checkout since a commit, or since the followed state: a line for each file and package."""
    before, lines = read(), []
    if start:
        before = _at(checkout, start)
    now = {'constants': constants(checkout.constants()), 'packages': checkout.pinned(), 'files': held(checkout)}
    for name in sorted(set(before['constants']) | set(now['constants'])):
        lines += _line('constant', name, before['constants'].get(name), now['constants'].get(name))
    for name in sorted(set(before['packages']) | set(now['packages'])):
        lines += _line('package', name, before['packages'].get(name), now['packages'].get(name))
    for path in sorted(set(before['files']) | set(now['files'])):
        old, new = before['files'].get(path), now['files'].get(path)
        if old is None or new is None:
            lines.append(f'file      {path} {"is new" if old is None else "is gone"} ({(old or new or {}).get("holds")})')
        elif old['sha256'] != new['sha256']:
            lines.append(f'file      {path} has changed ({new["holds"]})')
    return lines + [f'file      {path} is imported, and followed.py does not say what it holds' for path in unknown(checkout)]


def _line(kind: str, name: str, old: Any, new: Any) -> list[str]:
    return [] if old == new else [f'{kind:9} {name}: {"absent" if old is None else old} → {"absent" if new is None else new}']


def _at(checkout: Checkout, start: str) -> dict[str, Any]:
    """The state of a checkout's history at a commit, read without checking it out."""
    commit = checkout.git('rev-parse', '--verify', f'{start}^{{commit}}').strip()
    files: dict[str, dict[str, str]] = {}
    for line in checkout.git('ls-tree', '-r', commit).splitlines():
        path = line.partition('\t')[2]
        what = _holds(path)
        if what:
            files[path] = {'sha256': _digest(checkout, f'{commit}:{path}'), 'holds': what}
    text = checkout.git('show', f'{commit}:{CONSTANTS}')
    lock = checkout.git('show', f'{commit}:uv.lock') if checkout.git('ls-tree', commit, 'uv.lock') else ''
    return {'constants': constants(constants_in(text)), 'packages': _packages(lock), 'files': files}


def _digest(checkout: Checkout, blob: str) -> str:
    return hashlib.sha256(checkout.git('show', blob).encode()).hexdigest()


def _packages(lock: str) -> dict[str, str]:
    return {p['name']: p['version'] for p in tomllib.loads(lock).get('package', []) if p['name'].startswith('tree-sitter')}
