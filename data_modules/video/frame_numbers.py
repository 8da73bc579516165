"""Whether frames of an H.264 stream are missing or exchanged: they are numbered. Pure; no decoder."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

_SLICE, _IDR_SLICE, _SPS = 1, 5, 7
_PROFILES_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_HEAD_BYTES = 96  # of a packet, in which its first slice begins, unless much is said before it
_READ = 23  # of a slice


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

    def pass_golomb(self) -> None:
        """As many bits behind the first 1 as zeros before it."""
        self.place = 2 * self.bits.index("1", self.place) - self.place + 1


class Slice(NamedTuple):
    """The first slice of a packet: its kind, whether others refer to the frame, and the bytes it begins with."""

    kind: int
    is_reference: bool
    data: bytes


class _Numbering(NamedTuple):
    """How a frame is numbered: bits of its number and of its place in display order, and what stands between them."""

    width: int
    order_width: int  # 0: the place is not written
    may_have_fields: bool


def numbers_run_on(
    extradata: bytes | None, length_size: int, slices: Sequence[Slice | None], times: Iterable[int | None]
) -> bool | None:
    """Whether each reference frame has the number after the one before it, and each frame its place in display order.

    Args:
        extradata: of the stream, with its parameter sets.
        length_size: of `nal_length_size`.
        slices: the first of each packet, in decoding order; None: a packet that shows nothing.
        times: when the container shows each packet's frame; None: it does not say.

    Returns:
        None where numbers cannot be read.
    """
    numbering = _numbering(extradata or b"", length_size)
    if numbering is None:
        return None
    latest: tuple[int, int, int | None] | None = None  # of a reference frame: number, place and time
    for first, time in zip(slices, times, strict=True):
        if first is None:
            continue
        try:
            number, place = _numbers(first, numbering)
        except ValueError:
            return None
        if first.kind != _IDR_SLICE and latest is not None:
            if (number - latest[0]) % (1 << numbering.width) > 1:
                return False
            ahead = (place - latest[1]) % (1 << numbering.order_width)
            is_later = ahead < (1 << numbering.order_width) // 2
            if ahead and None not in (time, latest[2]) and is_later is not (time > latest[2]):  # type: ignore[operator]
                return False
        latest = (number, place, time) if first.is_reference or latest is None else latest
    return True


def _numbers(first: Slice, numbering: _Numbering) -> tuple[int, int]:
    """The number of a frame and its place in display order; 0 where that is not written.

    Raises:
        ValueError: where they cannot be read.
    """
    bits = _Bits(first.data)
    for _ in range(3):
        bits.pass_golomb()
    number = bits.take(numbering.width)
    if numbering.may_have_fields and bits.take(1):
        bits.take(1)
    if first.kind == _IDR_SLICE:
        bits.pass_golomb()
    return number, bits.take(numbering.order_width) if numbering.order_width else 0


def _numbering(extradata: bytes, length_size: int) -> _Numbering | None:
    """None where the parameter set is not there or is of a rare kind."""
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
        width, order_kind = bits.golomb() + 4, bits.golomb()
        order_width = bits.golomb() + 4 if order_kind == 0 else 0
        if order_kind == 1:
            return _Numbering(width, 0, False)
        bits.golomb()
        bits.take(1)
        bits.golomb()
        bits.golomb()
        return _Numbering(width, order_width, not bits.take(1))
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


def first_slice(packet: memoryview, length_size: int) -> Slice | None:
    """The first slice of a packet, most often within its first bytes; None: it holds none."""
    first = _first_slice(bytes(packet[:_HEAD_BYTES]), length_size)
    return first if first is not None and len(first.data) == _READ else _first_slice(bytes(packet), length_size)


def _first_slice(head: bytes, length_size: int) -> Slice | None:
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
            return Slice(head[start] & 31, bool(head[start] & 0x60), head[start + 1 : start + 1 + _READ])
