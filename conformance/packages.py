"""The virtual environment that the validator runs in: exactly the packages that its checkout pins, by hash."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from conformance.checkout import Checkout, ConformanceError

# What the driver imports of the validator needs these. The chain's client is not among them: stand-ins take its place.
ROOTS = ['numpy', 'requests', 'tree-sitter', 'tree-sitter-language-pack']
# The same, as the followed state pins them, for a checkout without a lock file.
FALLBACK = Path(__file__).with_name('requirements.txt')
WANTED = (3, 12)


def requirements(locked: dict[str, Any]) -> str:
    """A requirements file with the hashes of a lock file, for the roots and all that they need."""
    wanted, lines = list(ROOTS), {}
    while wanted:
        name = wanted.pop()
        if name in lines:
            continue
        package = locked.get(name)
        if package is None:
            raise ConformanceError(f'uv.lock of the checkout has no package {name}')
        hashes = {w['hash'] for w in package.get('wheels', [])} | ({package['sdist']['hash']} if 'sdist' in package else set())
        lines[name] = ' \\\n    '.join([f'{name}=={package["version"]}', *(f'--hash={h}' for h in sorted(hashes))])
        wanted += [d['name'] for d in package.get('dependencies', []) if 'marker' not in d]
    return '\n'.join(lines[n] for n in sorted(lines)) + '\n'


def versions(text: str) -> dict[str, str]:
    """The versions that a requirements file pins."""
    return dict(re.findall(r'^([a-z0-9-]+)==([\w.]+)', text, re.MULTILINE))


def environment(checkout: Checkout, python: str, folder: Path) -> Path:
    """The Python of the environment, which is made if it is not there. Its name is that of what it holds."""
    locked = checkout.locked()
    text = requirements(locked) if locked else FALLBACK.read_text()
    version = _version(python)
    digest = hashlib.sha256(f'{version}\n{text}'.encode()).hexdigest()[:12]
    home = folder.resolve() / f'venv-{digest}'
    if not (home / 'made').exists():
        pins = home.with_suffix('.txt')
        home.parent.mkdir(parents=True, exist_ok=True)
        pins.write_text(text)
        print(f'conform: making {home} with {len(versions(text))} packages', file=sys.stderr)
        _do([python, '-m', 'venv', '--clear', str(home)], 'make the virtual environment')
        _do(
            [
                str(home / 'bin/python'),
                '-m',
                'pip',
                'install',
                '--quiet',
                '--disable-pip-version-check',
                '--no-deps',
                '--require-hashes',
                '--only-binary',
                ':all:',
                '-r',
                str(pins),
            ],
            'install the packages that the checkout pins',
        )
        (home / 'made').touch()
    return home / 'bin/python'


def _version(python: str) -> str:
    try:
        said = subprocess.run([python, '-c', 'import sys; print(*sys.version_info[:2])'], capture_output=True, text=True)
    except FileNotFoundError as e:
        raise ConformanceError(f'{python} is not there. The validator needs Python 3.12 or later: PYTHON=PATH') from e
    if said.returncode:
        raise ConformanceError(f'{python} does not run: {said.stderr.strip()}. The validator needs Python 3.12 or later: PYTHON=PATH')
    version = tuple(int(n) for n in said.stdout.split())
    if version < WANTED:
        raise ConformanceError(f'{python} is Python {".".join(map(str, version))}, and the validator needs 3.12 or later: PYTHON=PATH')
    return said.stdout.strip()


def _do(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, 'PIP_NO_INPUT': '1'})
    if done.returncode:
        raise ConformanceError(f'could not {what}: {" ".join(command)}\n{done.stderr.strip()[-2000:]}')


def check_imports() -> None:
    """Says which of the validator's packages this Python lacks, and how to get it."""
    for package, module in (
        ('numpy', 'numpy'),
        ('requests', 'requests'),
        ('tree-sitter', 'tree_sitter'),
        ('tree-sitter-language-pack', 'tree_sitter_language_pack'),
    ):
        try:
            __import__(module)
        except ImportError as e:
            raise ConformanceError(
                f'{sys.executable} lacks the package {package} ({e}): '
                f'{sys.executable} -m pip install --require-hashes --no-deps -r {FALLBACK}'
            ) from e
