"""One clock for recordings that were joined, cut or received with losses. Pure; no decoder.

Files that were put one behind the other start their clocks anew, and a transport stream loses packets. Here one part
follows the other, and what cannot be decoded after a break is left out: all up to the next key frame, and what is
stored behind that one but shown before it.
"""

import numpy as np
from jaxtyping import Bool, Int64

from data_modules.video.timeline import NO_STAMP

# A clock that goes back further than this was started anew; less is a muxer's disorder. As FFmpeg has it.
_BACK_SEC = 0.1
# So far ahead a transport stream is no longer one with a gap, but another one. As FFmpeg has it.
_AHEAD_SEC = 10.0


def starts_of_parts(
    pts: Int64[np.ndarray, " P"],
    dts: Int64[np.ndarray, " P"],
    is_key: Bool[np.ndarray, " P"],
    tick_sec: float,
    may_jump: bool,
) -> list[int]:
    """The packets at which a clock starts anew, the first packet not among them.

    A key frame is shown after all that is stored before it, and packets are stored in the order in which they are to be
    decoded: where that is not so, another recording begins.

    Args:
        pts: as the container has them, `NO_STAMP` where missing.
        dts: likewise.
        is_key: decoding can start here.
        tick_sec: one tick in seconds.
        may_jump: whether a clock that jumps ahead is another one, too, as in a transport stream.
    """
    back, ahead = round(_BACK_SEC / tick_sec), round(_AHEAD_SEC / tick_sec)
    if not _is_suspicious(pts, is_key, back, ahead, may_jump) and not _is_suspicious(
        dts, np.ones_like(is_key), back, ahead, may_jump
    ):
        return []
    starts: list[int] = []
    latest_pts, latest_dts = NO_STAMP, NO_STAMP  # the latest of this part
    for place, (at, due, key) in enumerate(zip(pts.tolist(), dts.tolist(), is_key.tolist(), strict=True)):
        goes_back = (key and NO_STAMP < at < latest_pts - back) or NO_STAMP < due < latest_dts - back
        jumps = may_jump and NO_STAMP < latest_dts < due - ahead
        if place and (goes_back or jumps):
            starts.append(place)
            latest_pts = latest_dts = NO_STAMP
        latest_pts, latest_dts = max(latest_pts, at), max(latest_dts, due)
    return starts


def _is_suspicious(
    stamps: Int64[np.ndarray, " P"], judged: Bool[np.ndarray, " P"], back: int, ahead: int, may_jump: bool
) -> bool:
    known = stamps != NO_STAMP
    latest = np.maximum.accumulate(stamps)[:-1]
    later = stamps[1:]
    goes_back = known[1:] & judged[1:] & (latest != NO_STAMP) & (later < latest - back)
    jumps = known[1:] & (latest != NO_STAMP) & (later > latest + ahead)
    return bool(goes_back.any() or (may_jump and jumps.any()))


def one_clock(
    pts: Int64[np.ndarray, " P"],
    dts: Int64[np.ndarray, " P"],
    duration: Int64[np.ndarray, " P"],
    starts: list[int],
) -> tuple[Int64[np.ndarray, " P"], Int64[np.ndarray, " P"]]:
    """Stamps of part after part on the clock of the first: each begins where the one before it leaves the screen.

    Args:
        pts: as the container has them, `NO_STAMP` where missing.
        dts: likewise.
        duration: of each frame, in ticks; 0 where unknown.
        starts: of `starts_of_parts`.
    """
    pts, dts = pts.copy(), dts.copy()
    end = 0
    for start, stop in zip([0, *starts], [*starts, len(pts)], strict=True):
        subset = slice(start, stop)
        known = np.flatnonzero(pts[subset] != NO_STAMP)
        stamps, lengths = (pts if len(known) else dts)[subset], duration[subset]
        known = np.flatnonzero(stamps != NO_STAMP)
        if not len(known):
            continue
        if start:
            shift = end - stamps[known].min()
            for column in (pts[subset], dts[subset]):
                column[column != NO_STAMP] += shift
        last = known[stamps[known].argmax()]
        usual = int(np.median(np.diff(np.sort(stamps[known])))) if len(known) > 1 else 0
        end = int(stamps[last]) + max(int(lengths[last]), usual)
    return pts, dts


def losses(
    pts: Int64[np.ndarray, " P"],
    is_key: Bool[np.ndarray, " P"],
    starts: list[int],
    damaged: Bool[np.ndarray, " P"],
) -> tuple[Bool[np.ndarray, " P"], Bool[np.ndarray, " P"]]:
    """What breaks cost.

    Args:
        pts: of `one_clock`.
        is_key: decoding can start here.
        starts: of `starts_of_parts`.
        damaged: packets that were received incompletely.

    Returns:
        The packets that cannot be decoded, and the key frames at which the decoder starts anew.
    """
    lost, fresh = np.zeros_like(is_key), np.zeros_like(is_key)
    keys = np.flatnonzero(is_key & ~damaged)
    ends = [*keys.tolist(), len(pts)]
    for place in sorted({*starts, *np.flatnonzero(damaged).tolist()}):
        next_key = int(np.searchsorted(keys, place))
        lost[place : ends[next_key]] = True
        if next_key < len(keys):
            key = ends[next_key]
            group = slice(key, ends[next_key + 1])
            fresh[key] = True
            lost[group] |= (pts[group] < pts[key]) & (pts[group] != NO_STAMP)
    return lost, fresh
