"""``python -m distributor`` is ``distributor``."""

from __future__ import annotations

from distributor.cli.main import main

if __name__ == "__main__":
    main()
