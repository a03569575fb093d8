"""`make bench`: every figure, one JSON object on standard output."""

import json
import subprocess
import sys
from pathlib import Path


def main() -> None:
    figures = {}
    for file in sorted(Path(__file__).parent.glob("*.py")):
        if file.stem.startswith("_"):
            continue
        print(f"bench.{file.stem} …", file=sys.stderr)
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{file.stem}", "--json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        figures[file.stem] = (
            json.loads(done.stdout) if done.returncode == 0 else f"failed with {done.returncode}"
        )
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
