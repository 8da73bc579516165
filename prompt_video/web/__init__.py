"""A page in the browser: one's own video and words, without a terminal."""
