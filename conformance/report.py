"""The text of a run: what was compared, and each rule that differs."""

from pathlib import Path

from conformance.naming import Name
from conformance.work import Found

# So many lines of the test of real processes are shown.
SHOWN = 5


class Report:
    """Collects lines. A line says what equals or differs before it says how much was looked at."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.rules: list[str] = []

    def part(self, what: str, found: list[Found], seconds: float) -> None:
        different = [f for f in found if f.differences]
        state = f'{len(different)} of {len(found)} differ' if different else 'equal'
        rounds = sum(f.rounds for f in found)
        self.lines.append(
            f'{what}: {state} ({len(found)}{f" with {rounds} rounds" if rounds else ""}, '
            f'{sum(f.values for f in found)} figures, {seconds:.0f} s)'
        )

    def real(self, count: int, said: list[str], seconds: float) -> None:
        """Worlds through real processes: said are the lines that say how outcomes differ."""
        self.lines.append(f'worlds through real processes: {"differ" if said else "equal"} ({count}, {seconds:.0f} s)')
        if said:
            self.rules += ['DIFFERS  real processes', *(f'         {line}'[:300] for line in said[:SHOWN])]
            self.rules += [f'         and {len(said) - SHOWN} more'] if len(said) > SHOWN else []

    def last(self) -> str:
        return self.lines[-1]

    def rule(self, name: Name, count: int, what: str, file: Path | None, miners: int = 0, seconds: float = 0) -> None:
        self.rules.append(f'DIFFERS  {name}')
        self.rules.append(f'         {count} differ by it, such as {what}')
        self.rules.append(f'         {name.shown}'[:300])
        if file:
            self.rules.append(f'         {file}: the smallest case, {miners} miner{"s" if miners != 1 else ""}, after {seconds:.0f} s')

    def __str__(self) -> str:
        if not self.rules:
            return 'The product and the validator agree on every figure.'
        return '\n'.join(self.rules)
