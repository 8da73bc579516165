"""``python -m prompt_video``."""

import sys

from prompt_video.cli import main

if __name__ == "__main__":
    sys.exit(main())
