"""Text-video retrieval: ranks that are fair to ties, of score matrices that are never held whole."""
