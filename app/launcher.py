"""Entry point of the ``nerfcall`` command.

In an installed wheel this file is ``nerfcall/__main__.py`` and the rooms lie beside it in ``nerfcall/_packages``, so
that site-packages gets no top-level ``app`` or ``codec``; there the folder is put in front of the import path. In an
editable install and in a bare checkout (``python app/launcher.py``) the rooms are imported from the checkout.
"""

import sys
from pathlib import Path


def main() -> int:
    """Run the command line and return its exit status."""
    here = Path(__file__).resolve().parent
    packages = here / "_packages"
    if packages.is_dir():
        sys.path.insert(0, str(packages))
    elif here.name == "app":
        # Run as a script the import path starts with app/ itself, whose modules are not top-level names.
        sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != here]
        sys.path.insert(0, str(here.parent))
    from app.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
