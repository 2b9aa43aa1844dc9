"""``python -m narrows``."""

from narrows.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
