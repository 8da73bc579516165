"""Whether frames are missing from an H.264 stream: its reference frames are numbered. Pure; no decoder."""

from collections.abc import Iterable

_SLICE, _IDR_SLICE, _SPS = 1, 5, 7
_PROFILES_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
HEAD_BYTES = 96  # of a packet, in which its first slice begins


class _Bits:
    """Reads bits from the first on.

    Raises:
        ValueError: at the end.
    """

    def __init__(self, data: bytes) -> None:
        clean = data.replace(b"\0\0\3", b"\0\0")  # without the bytes that keep start codes out of it
        self.bits, self.place = f"{int.from_bytes(clean, 'big'):0{8 * len(clean)}b}", 0

    def take(self, count: int) -> int:
        taken = self.bits[self.place : self.place + count]
        if len(taken) < count:
            raise ValueError
        self.place += count
        return int(taken or "0", 2)

    def golomb(self) -> int:
        zeros = self.bits.index("1", self.place) - self.place
        self.place += zeros
        return self.take(zeros + 1) - 1


def numbers_run_on(extradata: bytes | None, length_size: int, heads: Iterable[bytes]) -> bool | None:
    """Whether each reference frame has the number after the one before it; None where that cannot be read.

    Args:
        extradata: of the stream, with its parameter sets.
        length_size: of `nal_length_size`.
        heads: the first `HEAD_BYTES` of each packet, in decoding order.
    """
    width = _width_of_numbers(extradata or b"", length_size)
    if width is None:
        return None
    latest: int | None = None
    for head in heads:
        first_slice = _first_slice(head, length_size)
        if first_slice is None:
            latest = None
            continue
        kind, is_reference, slice_data = first_slice
        try:
            bits = _Bits(slice_data)
            for _ in range(3):
                bits.golomb()
            number = bits.take(width)
        except ValueError:
            return None
        if kind != _IDR_SLICE and latest is not None and (number - latest) % (1 << width) > 1:
            return False
        latest = number if is_reference or latest is None else latest
    return True


def _width_of_numbers(extradata: bytes, length_size: int) -> int | None:
    """Bits of a frame's number; None where the parameter set is not there or is of a rare kind."""
    place = 8 if length_size else extradata.find(b"\0\0\1" + b"\x67") + 3
    if length_size and len(extradata) > 8 and extradata[5] & 31 == 0:
        return None
    sps = extradata[place : place + 512]
    if len(sps) < 5 or sps[0] & 31 != _SPS:
        return None
    try:
        bits = _Bits(sps[1:])
        profile = bits.take(8)
        bits.take(16)
        bits.golomb()
        if profile in _PROFILES_WITH_CHROMA:
            has_full_color = bits.golomb() == 3
            if has_full_color and bits.take(1):  # three pictures of one color each
                return None
            bits.golomb()
            bits.golomb()
            bits.take(1)
            if bits.take(1):
                _pass_over_scaling(bits, 12 if has_full_color else 8)
        return bits.golomb() + 4
    except ValueError:
        return None


def _pass_over_scaling(bits: _Bits, num_lists: int) -> None:
    """The scaling lists: differences of numbers, up to a number that is 0."""
    for place in range(num_lists):
        if not bits.take(1):
            continue
        scale = 8
        for _ in range(16 if place < 6 else 64):
            code = bits.golomb()
            scale = (scale + (code + 1 >> 1 if code & 1 else -(code >> 1))) % 256
            if not scale:
                break


def _first_slice(head: bytes, length_size: int) -> tuple[int, bool, bytes] | None:
    """Kind, whether others refer to it, and the data of the first slice."""
    place = 0
    while True:
        if length_size:
            size = int.from_bytes(head[place : place + length_size], "big")
            start, place = place + length_size, place + length_size + size
        else:
            start = head.find(b"\0\0\1", place) + 3
            place = start
            if start < 3:
                return None
        if start >= len(head):
            return None
        if head[start] & 31 in (_SLICE, _IDR_SLICE):
            return head[start] & 31, bool(head[start] & 0x60), head[start + 1 : start + 24]
