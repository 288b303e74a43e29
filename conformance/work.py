"""What one process does: it holds a validator and a process of the product, and compares them on what it is given."""

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from conformance import pairs, registries, worlds
from conformance.checkout import Checkout, ConformanceError, misfit
from conformance.compare import Comparison, Difference, compare_rounds
from conformance.ours import Ours, fill
from conformance.validator import Refused, Validator

ROOT = Path(__file__).resolve().parent.parent
# So many differences of one input are kept: the first ones name the rule, a changed rule moves thousands.
KEPT = 400


class Found(NamedTuple):
    """What came of one input: how much was compared, and how it differs. The case shows a difference again."""

    what: str
    rounds: int
    values: int
    differences: list[Difference]
    case: dict[str, Any] | None = None


class Worker:
    """Compares. It belongs to one thread."""

    def __init__(self, checkout: Checkout, program: Path, grammars: str):
        self.validator = Validator(checkout)
        self.without = self.validator.without()
        self.ours = Ours(program, ROOT, self.without, grammars)
        self.folder = tempfile.TemporaryDirectory(prefix='conform-')

    def close(self) -> None:
        self.ours.close()
        self.folder.cleanup()

    def both(self, case: dict[str, Any]) -> tuple[list[Any], list[Any]]:
        """What both make of a case's rounds."""
        path = Path(self.folder.name) / 'case.json'
        path.write_text(json.dumps(case))
        return self.ours.rounds(path), self.validator.play(case)

    def play(self, what: str, case: dict[str, Any]) -> Found:
        try:
            ours, theirs = self.both(case)
        except Refused as e:
            return Found(what, 0, 1, [Difference(('0', 'registry'), 'read', f'refused: {e}')])
        c = compare_rounds(ours, theirs)
        return Found(what, len(theirs), c.values, c.differences[:KEPT], case if c.differences else None)

    def world(self, seed: int) -> Found:
        return self.play(f'world {seed}', worlds.case(seed))

    def recorded(self, path: str) -> Found:
        """A case of the project, played by the validator anew."""
        return self.play(f'case {Path(path).name.split(".")[0]}', self.read(path))

    def read(self, path: str) -> dict[str, Any]:
        """A case of a file, compressed or not."""
        answer = self.ours.ask({'read': str(Path(path).resolve())})
        if 'case' not in answer:
            raise ConformanceError(f'{path} is no case: {answer.get("error")}')
        case = answer['case']
        case['rounds'] = [{k: v for k, v in number.items() if v is not None} for number in case['rounds']]
        return case

    def score(self, files: list[dict[str, Any]], **weights: Any) -> list[Found]:
        """Compares pairs, each by itself."""
        answer = self.ours.ask({'pairs': files, **weights})
        if 'refused' in answer:
            return [Found('weights', 0, 1, [Difference(('0', 'files', 'weights'), f'refused: {answer["refused"]}', 'scored')])]
        if 'pairs' not in answer:
            raise ConformanceError(f'the product cannot score pairs of files: {answer.get("error")}')
        found = []
        for file, mine, other in zip(files, answer['pairs'], self.validator.pairs(files)):
            c = Comparison()
            fill(mine['file'])
            c.compare(('0', 'files', file['filename']), mine['file'], other['file'])
            c.compare(('0', 'pairs', file['filename'], 'base_score'), mine['base_score'], other['base_score'])
            found.append(Found(f'pair {file["filename"]}', 0, c.values, c.differences, pairs.case_of(file) if c.differences else None))
        return found

    def weigh(self, languages: Any, tokens: Any, files: list[dict[str, Any]]) -> list[Found]:
        """Compares pairs by other weights than the checkout's."""
        before = [(Path(self.validator._folder.name) / f).read_text() for f in ('programming_languages.json', 'token_weights.json')]
        self.validator.use_weights(json.dumps(languages), json.dumps(tokens))
        try:
            # No case has weights: one of the checkout's own would not differ.
            return [f._replace(case=None) for f in self.score(files, languages=languages, tokens=tokens)]
        finally:
            self.validator.use_weights(*before)

    def settings(self) -> Found:
        """Compares which settings of a repository there are."""
        differences = registries.settings(self.validator.weights.RepositoryConfig)
        return Found('the settings of a repository', 0, len(registries.REPOSITORY) + len(registries.PARTS), differences)

    def registry(self, what: str, registry: Any) -> Found:
        c = Comparison()
        mine = registries.ours_of(self.ours.ask({'registry': registry}))
        try:
            other = registries.theirs_of(self.validator, registry)
        except Refused:
            other = registries.REFUSED
        c.compare(('0', 'registry', what), mine, other)
        return Found(what, 0, c.values, c.differences)


def write(file: Path, case: dict[str, Any], expected: list[Any]) -> None:
    """Writes a case of the form that worker/parity plays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**case, 'expected': expected}, ensure_ascii=False, separators=(',', ':')) + '\n')


_worker: Worker | None = None


def start(folder: str, program: str, grammars: str) -> None:
    """Makes this process's worker."""
    global _worker
    _worker = Worker(Checkout(folder), Path(program), grammars)


def do(task: tuple[Any, ...]) -> list[Found]:
    """Does one task: the name of a method, and its arguments."""
    assert _worker
    try:
        found = getattr(_worker, task[0])(*task[1:])
    except ConformanceError:
        raise
    except Exception as e:  # here its traceback is still known: it does not cross to the other process
        raise misfit(e) from e
    return found if isinstance(found, list) else [found]
