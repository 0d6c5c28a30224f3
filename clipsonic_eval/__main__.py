"""``python -m clipsonic_eval`` is the same program as ``clipsonic-eval``."""

from clipsonic_eval.cli import main

if __name__ == "__main__":
    main()
