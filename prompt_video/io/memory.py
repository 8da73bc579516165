"""What to do where memory runs out."""

LESS = (
    "less is taken with a smaller --data.batch_size, --model.text_chunk (in retrieval --model.video_chunk too), "
    "--model.classes_per_step where there are many class names, stored features (--data.features auto) in the place of "
    "frames, and a smaller --backbone"
)


def out_of_memory(error: BaseException | None) -> str | None:
    """What happened and which settings help, if it is that; torch need not be loaded for it.

    Args:
        error: with those that it came of.
    """
    while error is not None:
        words = str(error).strip().partition("\n")[0]
        if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError) or "can't allocate" in words:
            device = "the GPU" if type(error).__name__ == "OutOfMemoryError" else "this machine"
            return f"the memory of {device} ran out ({words[:200] or 'MemoryError'}); {LESS}."
        error = error.__cause__ or error.__context__
    return None
