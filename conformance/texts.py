"""Texts of files: made ones in a few languages, and the project's own samples of all languages, mutated."""

import functools
import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / 'worker/tokenscore/testdata/tokens.tar.gz'
WORDS = (
    'amber basin cedar delta ember fjord grove harbor inlet juniper kernel lagoon meadow nectar orchard prairie quarry '
    'river summit timber umbra valley willow yarrow zephyr'
).split()
# What a slip of an editor leaves behind: each makes a parser recover.
SLIPS = ['}', '(', '"', "'", '/*', '=', 'é漢', '\t', '\\', ';;', '<<<<<<< HEAD', '0x', '\r', '#[', '<?', '@']


# What makes a file of Rust a test by its text: at its begin and at its end. The last one is none.
INLINE_TESTS = [
    ('', '#[cfg(test)]\nmod tests {\n    #[test]\n    fn works() { assert_eq!(1, 1); }\n}\n'),
    ('', '    #[test]\nfn works() { assert_eq!(1, 1); }\n'),
    ('', '#[tokio::test]\nasync fn works() { assert_eq!(1, 1); }\n'),
    ('#![cfg(test)]\n', ''),
    ('', 'fn works() { assert!(true); } // #[test]\n'),
]
# The validator skips a file with more bytes on one of its sides: MAX_FILE_SIZE_BYTES.
LIMIT = 1_000_000
# So many functions of python() are worth more than CONTRIBUTION_SCORE_FOR_FULL_BONUS, where the bonus for size ends: 1,870 points.
MANY = 300


class Sample(NamedTuple):
    """One recorded change of a file; base is None for an added one."""

    language: str
    path: str
    base: str | None
    head: str


@functools.cache
def samples() -> tuple[Sample, ...]:
    """The samples of the project's token cases, ordered by path."""
    texts: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(SAMPLES.read_bytes())) as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is not None:
                texts[member.name.removeprefix('./')] = file.read().decode('utf-8', 'replace')
    found = []
    for name in sorted(texts):
        folder, _, file = name.rpartition('/')
        stem, mark, extension = file.partition('.head.')
        if folder and mark:
            path = f'src/{stem}/{extension}' if extension in ('dockerfile', 'makefile') else f'src/{stem}.{extension}'
            found.append(Sample(folder, path, texts.get(f'{folder}/{stem}.base.{extension}'), texts[name]))
    return tuple(found)


def mutate(r: random.Random, text: str) -> str:
    """The text after some edits: lines left out, doubled, moved or cut, words renamed, and slips."""
    lines = text.split('\n')
    for _ in range(r.choice([1, 1, 2, 3, 6])):
        i = r.randrange(len(lines))
        edit = r.randrange(7)
        if edit == 0 and len(lines) > 1:
            del lines[i]
        elif edit == 1:
            lines.insert(i, lines[r.randrange(len(lines))])
        elif edit == 2:
            lines[i] = lines[i][: r.randrange(len(lines[i]) + 1)]
        elif edit == 3:
            at = r.randrange(len(lines[i]) + 1)
            lines[i] = lines[i][:at] + r.choice(SLIPS) + lines[i][at:]
        elif edit == 4:
            words = lines[i].split(' ')
            words[r.randrange(len(words))] = r.choice(WORDS)
            lines[i] = ' '.join(words)
        elif edit == 5:
            j = r.randrange(len(lines))
            lines[i], lines[j] = lines[j], lines[i]
        else:
            lines[i:i] = lines[i : i + r.randrange(1, 6)]
    return '\n'.join(lines)


def at_limit(r: random.Random) -> tuple[str, str]:
    """A base and a head: one of them has as many bytes as a file may have, or one more. It is cheap to parse."""
    begin, letter = 'x = 1\n# ', r.choice(['a', 'é'])
    room = LIMIT - len(begin) + r.choice([0, 1])
    wide = len(letter.encode())
    sides = ['y = 2\n', begin + letter * (room // wide) + 'a' * (room % wide)]
    r.shuffle(sides)
    return sides[0], sides[1]


def python(r: random.Random, n: int) -> str:
    return ''.join(
        f'def {r.choice(WORDS)}_{r.randrange(99)}(x, y={r.randrange(9)}):\n    # {r.choice(WORDS)}\n    if x > {r.randrange(100)}:\n'
        f"        return [x * i for i in range(y)]\n    return '{r.choice(WORDS)}'\n\n\n"
        for _ in range(n)
    )


def typescript(r: random.Random, n: int) -> str:
    return ''.join(
        f'export interface {r.choice(WORDS).title()}{r.randrange(99)} {{ id: number; name?: string }}\n'
        f'export const {r.choice(WORDS)}{r.randrange(99)} = (a: number): string => {{\n'
        f'  if (a > {r.randrange(50)}) {{ return `v${{a}}`; }}\n  return "{r.choice(WORDS)}";\n}};\n'
        for _ in range(n)
    )


def go(r: random.Random, n: int) -> str:
    return 'package main\n\n' + ''.join(
        f'// {r.choice(WORDS)}\nfunc {r.choice(WORDS)}{r.randrange(99)}(a int) (int, error) {{\n'
        f'\tfor i := 0; i < {r.randrange(20)}; i++ {{\n\t\ta += i\n\t}}\n\treturn a, nil\n}}\n\n'
        for _ in range(n)
    )


def rust(r: random.Random, n: int) -> str:
    first, tests = r.choice(INLINE_TESTS) if r.random() < 0.5 else ('', '')
    return (
        first
        + ''.join(
            f'pub struct {r.choice(WORDS).title()}{r.randrange(99)} {{ pub id: u{r.choice([8, 16, 32])} }}\n'
            f'fn {r.choice(WORDS)}_{r.randrange(99)}(v: &[i32]) -> Option<i32> {{\n'
            f'    match v.len() {{ 0 => None, n => Some(n as i32 + {r.randrange(9)}) }}\n}}\n'
            for _ in range(n)
        )
        + tests
    )


def prose(r: random.Random, n: int) -> str:
    return ''.join(f'- {" ".join(r.choice(WORDS) for _ in range(6))} é 漢 {r.randrange(999)}\n' for _ in range(n * 3))


# Extension, maker, and how often it is taken.
MADE: list[tuple[str, Callable[[random.Random, int], str], int]] = [
    ('py', python, 5),
    ('ts', typescript, 5),
    ('go', go, 4),
    ('rs', rust, 4),
    ('md', prose, 3),
    ('json', prose, 1),
    ('YML', prose, 1),
    ('lock', prose, 1),
]


def made(r: random.Random) -> tuple[str, str, str]:
    """Extension, base and head of a made file."""
    extension, make, _ = r.choices(MADE, [k[2] for k in MADE])[0]
    head = make(r, r.choice([1, 1, 2, 3, 5, 8]))
    base = '' if r.random() < 0.05 else head.replace(r.choice(WORDS), r.choice(WORDS)) + make(r, r.randrange(3))
    return extension, base, head
