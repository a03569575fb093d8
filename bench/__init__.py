"""Speed figures, one module each: `python -m bench.line --json`. Never asserted in tests."""
