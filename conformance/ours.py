"""The product's side: one process of Go that answers questions line by line (worker/parity, TestConform)."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from conformance.checkout import ConformanceError

MARK = 'conform '
PROGRAM = 'conform.test'


def build(root: Path, folder: Path, go: str) -> Path:
    """Builds the program that answers."""
    program = folder.resolve() / PROGRAM
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([go, 'test', '-c', '-vet=off', '-o', str(program), './worker/parity'], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise ConformanceError(f'could not build {program}: {done.stderr.strip()[-2000:]}')
    return program


def fill(file: dict[str, Any]) -> None:
    """Sets what the product leaves out of a file's figures where there is nothing to say."""
    file.setdefault('test', False)
    file.setdefault('breakdown', None)


class Ours:
    """A running program. It is used by one thread, and ends when it is closed."""

    def __init__(self, program: Path, root: Path, without: list[str], grammars: str):
        self.process = subprocess.Popen(
            [str(program), '-test.run', '^TestConform$', '-test.timeout', '0'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root / 'worker/parity',
            env={**os.environ, 'MIRRORFLEET_CONFORM': ','.join(without) or 'none', 'MIRRORFLEET_GRAMMARS': grammars},
        )

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Asks one question. An answer may say that the input is refused: its field error."""
        assert self.process.stdin and self.process.stdout
        said = ''
        try:
            self.process.stdin.write(json.dumps(question) + '\n')
            self.process.stdin.flush()
            for line in self.process.stdout:
                if line.startswith(MARK):
                    return json.loads(line[len(MARK) :])
                said += line
        except BrokenPipeError:
            said += self.process.stdout.read()
        raise ConformanceError(f'the product ended before it answered:\n{said[-2000:]}')

    def rounds(self, case: Path) -> list[Any]:
        """What the product makes of each round of a case."""
        answer = self.ask({'case': str(case)})
        if 'rounds' not in answer:
            raise ConformanceError(f'the product cannot play {case}: {answer.get("error")}')
        for number in answer['rounds']:
            for files in number['files'].values():
                for file in files:
                    fill(file)
        return answer['rounds']

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.stdout.close()
        self.process.wait()
