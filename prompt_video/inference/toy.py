"""What is said of every figure that the built-in toy model makes."""

TOY = "tiny"
NOTICE = (
    "This was scored by the built-in toy model, which has only ever seen simple moving shapes: of anything else it "
    "guesses. For real videos take a real one: --backbone vit_b16, or --ckpt with a checkpoint that "
    "was trained on it."
)


def toy_notice(clip: str) -> str | None:
    """What people must know of figures that a CLIP of this name makes; None where it is a real one."""
    return NOTICE if clip == TOY else None
