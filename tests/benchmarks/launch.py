"""The `weighbridge` command on a chosen event loop: `python -m tests.benchmarks.launch LOOP ARGUMENTS…`."""

from __future__ import annotations

import sys


def main() -> None:
    """Hide uvloop where the standard loop is wanted, then be the command."""
    loop = sys.argv.pop(1)
    if loop == "asyncio":
        sys.modules["uvloop"] = None  # type: ignore[assignment]
    from weighbridge import main as command

    command()


if __name__ == "__main__":
    main()
