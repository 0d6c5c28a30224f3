"""Install the reference packages into a folder, once: ``python tests/reference/install.py FOLDER``.

They pin old versions of NumPy and others, so they are installed without dependencies beside ours; the folder is put on
PYTHONPATH for their tests only.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements.txt"


def main(folder: Path) -> None:
    stamp = folder / ".requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--upgrade", "--target", str(folder)]
    subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
    stamp.write_text(wanted)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
