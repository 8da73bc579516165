"""What is said of every figure that the built-in toy model makes."""

TOY = "tiny"
NOTICE = (
    "The built-in toy model scores here: it knows simple moving shapes only, and guesses at all else. For real videos "
    "take a real one, with --backbone vit_b16, or with --ckpt and a checkpoint that was trained on it."
)


def toy_notice(backbone: str) -> str | None:
    """What people must know of figures that a backbone of this name makes; None where it is a real one."""
    return NOTICE if backbone == TOY else None
