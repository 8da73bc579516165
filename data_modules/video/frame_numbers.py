"""Whether frames of an H.264 stream are missing or exchanged: they are numbered. Pure; no decoder."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

_SLICE, _IDR_SLICE, _SPS = 1, 5, 7
_SLICES = (_SLICE, _IDR_SLICE)
_PROFILES_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_HEAD_BYTES = 96  # of a packet, in which its first slice begins, unless much is said before it
_READ = 24  # bytes of a slice


class _Bits:
    """Reads bits from the first on.

    Raises:
        ValueError: at the end.
    """

    def __init__(self, data: bytes) -> None:
        clean = data.replace(b"\0\0\3", b"\0\0")  # without the bytes that keep start codes out of it
        self.value, self.left = int.from_bytes(clean, "big"), 8 * len(clean)  # what is not read yet

    def take(self, count: int) -> int:
        self.left -= count
        if self.left < 0:
            raise ValueError
        taken = self.value >> self.left
        self.value ^= taken << self.left
        return taken

    def golomb(self) -> int:
        """As many bits behind the first 1 as zeros before it."""
        zeros = self.left - self.value.bit_length()
        return self.take(2 * zeros + 1) - 1


class _Numbering(NamedTuple):
    """How a frame is numbered: bits of its number and of its place in display order, and what stands between them."""

    width: int
    order_width: int  # 0: the place is not written
    may_have_fields: bool


def numbers_run_on(
    extradata: bytes | None, length_size: int, slices: Sequence[bytes | None], times: Iterable[int | None]
) -> bool | None:
    """Whether each reference frame has the number after the one before it, and each frame its place in display order.

    Args:
        extradata: of the stream, with its parameter sets.
        length_size: of `nal_length_size`.
        slices: of `first_slice`, one for each packet, in decoding order.
        times: when the container shows each packet's frame; None: it does not say.

    Returns:
        None where numbers cannot be read.
    """
    numbering = _numbering(extradata or b"", length_size)
    if numbering is None:
        return None
    cycle, order_cycle = 1 << numbering.width, 1 << numbering.order_width
    latest: tuple[int, int, int | None] | None = None  # of a reference frame: number, place and time
    for first, time in zip(slices, times, strict=True):
        if first is None:
            continue
        try:
            number, place = _numbers(first, numbering)
        except ValueError:
            return None
        if latest is not None and first[0] & 31 != _IDR_SLICE:
            if (number - latest[0]) % cycle > 1:
                return False
            ahead = (place - latest[1]) % order_cycle
            before = latest[2]
            if ahead and time is not None and before is not None and (ahead < order_cycle // 2) is not (time > before):
                return False
        if latest is None or first[0] & 0x60:  # others refer to it
            latest = number, place, time
    return True


def _numbers(first: bytes, numbering: _Numbering) -> tuple[int, int]:
    """The number of a frame and its place in display order; 0 where that is not written.

    As `_Bits` reads them; every frame is asked, and this takes a third of the time.

    Raises:
        ValueError: where they cannot be read.
    """
    clean = first.replace(b"\0\0\3", b"\0\0")
    left = 8 * len(clean) - 8  # bits behind the unit's kind
    value = int.from_bytes(clean, "big") & ((1 << left) - 1)
    for _ in range(3):  # the first block, the kind of slice, the parameter set
        left -= 2 * (left - value.bit_length()) + 1
        if left < 0:
            raise ValueError
        value &= (1 << left) - 1
    left -= numbering.width
    if left < 0:
        raise ValueError
    number = value >> left
    value &= (1 << left) - 1
    if numbering.may_have_fields:
        left -= 2 if value >> (left - 1) else 1
        value &= (1 << left) - 1
    if first[0] & 31 == _IDR_SLICE:
        left -= 2 * (left - value.bit_length()) + 1
        value &= (1 << left) - 1
    left -= numbering.order_width
    if left < 0:
        raise ValueError
    return number, value >> left if numbering.order_width else 0


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


def first_slice(packet: memoryview, length_size: int) -> bytes | None:
    """How the first slice of a packet begins, with its unit's kind in the first byte; None: the packet holds none.

    Args:
        packet: of a stream.
        length_size: of `nal_length_size`.
    """
    if length_size < len(packet) and length_size and packet[length_size] & 31 in _SLICES:
        return bytes(packet[length_size : length_size + _READ])
    first = _first_slice(bytes(packet[:_HEAD_BYTES]), length_size)
    return first if first is not None and len(first) == _READ else _first_slice(bytes(packet), length_size)


def _first_slice(head: bytes, length_size: int) -> bytes | None:
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
        if head[start] & 31 in _SLICES:
            return head[start : start + _READ]
