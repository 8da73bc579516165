"""What is checked before a run: data, texts, storage, and a dry run on miniatures."""
