"""A checkout of the validator: what it must have to be driven, and what its files say without being run."""

import ast
import hashlib
import json
import operator
import re
import subprocess
import tomllib
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = 'https://github.com/entrius/gittensor'

# What the driver calls or replaces. A file or a name that is missing is found before anything is imported, so that
# the error names it.
NEEDS = {
    'gittensor/constants.py': ['PR_LOOKBACK_DAYS', 'TIME_DECAY_GRACE_PERIOD_HOURS', 'OSS_EMISSION_SHARE'],
    'gittensor/classes.py': ['MinerEvaluation', 'MinerEvaluationCache', 'FileChange', 'PrScoringResult'],
    'gittensor/utils/mirror/client.py': ['MirrorClient', 'MirrorRequestError', '_request', 'requests'],
    'gittensor/validator/forward.py': ['build_maintainer_uids_by_repo'],
    'gittensor/validator/emission_allocation.py': ['blend_emission_pools', 'calculate_repo_emission_breakdown'],
    'gittensor/validator/pat_storage.py': ['load_all_pats'],
    'gittensor/validator/oss_contributions/reward.py': ['get_rewards', 'evaluate_miners_pull_requests', 'pat_storage'],
    'gittensor/validator/oss_contributions/inspections.py': [
        'validate_response_and_initialize_miner_evaluation',
        'validate_github_credentials_result',
    ],
    'gittensor/validator/oss_contributions/mirror/load.py': ['load_miner_prs'],
    'gittensor/validator/oss_contributions/mirror/scoring.py': ['score_miner_prs', 'calculate_base_score_for_pr_files'],
    'gittensor/validator/issue_discovery/scan.py': ['run_issue_discovery'],
    'gittensor/validator/utils/datetime_utils.py': ['calculate_time_decay'],
    'gittensor/validator/utils/github_validation.py': ['GitHubCredentialValidation'],
    'gittensor/validator/utils/load_weights.py': [
        'load_master_repo_weights',
        'load_programming_language_weights',
        'load_token_config',
        '_get_weights_dir',
        'resolve_eligibility',
        'resolve_scoring',
    ],
    'gittensor/validator/utils/tree_sitter_scoring.py': ['calculate_token_score_from_file_changes', 'get_parser'],
    'gittensor/validator/weights/master_repositories.json': [],
    'gittensor/validator/weights/programming_languages.json': [],
    'gittensor/validator/weights/token_weights.json': [],
    'neurons/validator.py': ['store_or_use_cached_evaluation'],
}
WEIGHTS = 'gittensor/validator/weights'
# What the driver puts stand-ins for.
REPLACED = ('gittensor/validator/issue_competitions/',)
REGISTRY = f'{WEIGHTS}/master_repositories.json'
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
CONSTANTS = 'gittensor/constants.py'


class ConformanceError(Exception):
    """Something that the person who runs the command can put right: its text says what and how."""


def unfit(what: str) -> ConformanceError:
    """The error of a checkout that has something that the driver does not know."""
    return ConformanceError(f'the driver does not fit this checkout: {what}')


def misfit(e: BaseException) -> ConformanceError:
    """What an error that nobody foresaw says to the person who runs the command: where the driver and a checkout part."""
    frames = traceback.extract_tb(e.__traceback__)
    where = f' ({frames[-1].filename}, line {frames[-1].lineno}, in {frames[-1].name})' if frames else ''
    return unfit(f'{type(e).__name__}: {e}{where}')


def names_in(source: str) -> set[str]:
    """The names that a module has: functions and classes at any depth, and what is assigned or imported at the top."""
    tree = ast.parse(source)
    names = {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        names |= {t.id for t in targets if isinstance(t, ast.Name)}
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {a.asname or a.name.partition('.')[0] for a in node.names}
    return names


def _literal(node: Any) -> Any:
    """The value of a literal, or of arithmetic of literals."""
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        return ARITHMETIC[type(node.op)](_literal(node.left), _literal(node.right))
    return ast.literal_eval(node)


def constants_in(source: str) -> dict[str, Any]:
    """The constants of a module that are plain values: numbers, also by arithmetic, texts, and lists of them."""
    values: dict[str, Any] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        targets, of = node.targets if isinstance(node, ast.Assign) else [node.target], node.value
        if len(targets) == 1 and isinstance(targets[0], ast.Name):
            if isinstance(of, ast.Call) and isinstance(of.func, ast.Name) and of.func.id == 'frozenset' and len(of.args) == 1:
                of = of.args[0]
            try:
                value = _literal(of)
            except (ValueError, TypeError, ArithmeticError):
                continue
            values[targets[0].id] = sorted(value) if isinstance(value, set) else value
    return values


def imports_in(source: str) -> set[str]:
    """The modules that a module imports anywhere, and what may be one: the names taken from a package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f'{node.module}.{a.name}' for a in node.names)}
    return found


class Checkout:
    """A folder that has everything that the driver needs."""

    def __init__(self, folder: str | Path):
        if not str(folder):
            raise ConformanceError(f'VALIDATOR=DIR is missing. Get a checkout: git clone {REPOSITORY}, then name it')
        self.folder = Path(folder).resolve()
        self._check()

    def _check(self) -> None:
        if not self.folder.is_dir():
            raise ConformanceError(f'{self.folder} is no folder. Get a checkout: git clone {REPOSITORY}, then name it: VALIDATOR=DIR')
        if not (self.folder / CONSTANTS).is_file():
            raise ConformanceError(f'{self.folder} is no checkout of the validator: it has no {CONSTANTS}. Get one: git clone {REPOSITORY}')
        for path, names in NEEDS.items():
            file = self.folder / path
            if not file.is_file():
                raise ConformanceError(
                    f'{self.folder} is too old or too new for the driver: it has no file {path}. '
                    'docs/conform.md names the releases that the driver knows'
                )
            if path.endswith('.py'):
                try:
                    missing = sorted(set(names) - names_in(file.read_text()))
                except SyntaxError as e:
                    raise ConformanceError(f'{file}: line {e.lineno} is no Python of this version: {e.msg}') from e
                if missing:
                    raise ConformanceError(
                        f'{self.folder} is too old or too new for the driver: {path} has no '
                        f'{missing[0]}. docs/conform.md names the releases that the driver knows'
                    )

    def read(self, path: str) -> str:
        return (self.folder / path).read_text()

    def constants(self) -> dict[str, Any]:
        return constants_in(self.read(CONSTANTS))

    def registry(self) -> dict[str, Any]:
        return json.loads(self.read(REGISTRY))

    def imported(self) -> set[str]:
        """The files of the validator that the driver imports, with all that these import."""
        found, wanted = set(), {path for path in NEEDS if path.endswith('.py') and path.startswith('gittensor/')}
        while wanted:
            path = wanted.pop()
            if path in found or path.startswith(REPLACED):
                continue
            found.add(path)
            wanted |= {f'{p}/__init__.py' for p in map(str, Path(path).parents) if (self.folder / p / '__init__.py').is_file()}
            for module in imports_in(self.read(path)):
                file = module.replace('.', '/')
                if module.startswith('gittensor'):
                    wanted |= {f for f in (f'{file}.py', f'{file}/__init__.py') if (self.folder / f).is_file()}
        return found

    def digest(self, path: str) -> str | None:
        file = self.folder / path
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None

    def git(self, *arguments: str) -> str:
        """What git says in the checkout."""
        done = subprocess.run(['git', '-C', str(self.folder), *arguments], capture_output=True, text=True)
        if done.returncode:
            raise ConformanceError(f'git {" ".join(arguments)} in {self.folder}: {done.stderr.strip()}')
        return done.stdout

    def needs_history(self) -> None:
        """Refuses a folder without a history of its own: that of a folder around it is another one."""
        if not (self.folder / '.git').exists():
            raise ConformanceError(f'{self.folder} has no .git, and its history is compared too. Get a checkout: git clone {REPOSITORY}')

    def commit(self) -> str:
        return self.git('rev-parse', 'HEAD').strip()

    def locked(self) -> dict[str, Any] | None:
        """The packages of the checkout's lock file by name, or None if it has none."""
        file = self.folder / 'uv.lock'
        if not file.is_file():
            return None
        return {p['name']: p for p in tomllib.loads(file.read_text())['package']}

    def pinned(self) -> dict[str, str]:
        """The versions of the parser's packages that the checkout asks for."""
        locked = self.locked()
        if locked:
            return {n: p['version'] for n, p in sorted(locked.items()) if n.startswith('tree-sitter')}
        text = self.read('pyproject.toml') if (self.folder / 'pyproject.toml').is_file() else ''
        return dict(sorted(re.findall(r'["\'](tree-sitter[a-z-]*)==([\w.]+)["\']', text)))
