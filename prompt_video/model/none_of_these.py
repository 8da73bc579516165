"""What a video is that shows none of the candidates; see `Rejection`. Read before torch is loaded."""

from data_modules.errors import InputError

NONE_OF_THESE = "none of these"
EVEN = 0.5  # threshold of a bank: it fits as well as all candidates together


def check_threshold(value: float) -> None:
    """Refuse a confidence that none can be.

    Raises:
        InputError: when it is outside its range.
    """
    if not 0 <= value <= 1:
        raise InputError(f"the threshold of '{NONE_OF_THESE}' must be from 0 to 1, not {value:g}.")
