"""Search in one's own videos: any text in, the moments of the videos that it fits best out."""
