"""``python -m trainwell`` is the same as ``trainwell``."""

from trainwell.cli import main

if __name__ == "__main__":
    main()
