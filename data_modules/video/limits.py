"""How much a video may ask for: beyond it, it is broken, whatever its few bytes say."""

MAX_PIXELS = 8192 * 4352  # of a frame: all of 8K in any shape
MAX_STRETCH = 32.0  # longer side of a picture to its shorter
MAX_PACKETS = 500_000  # four and a half hours at 30 frames a second
MAX_SEC = 24 * 3600.0
MAX_SEC_PER_FRAME = 600.0  # on average; a slide may stay for longer
