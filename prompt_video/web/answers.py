"""What the page answers."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, TypeVar

from data_modules.annotations.activitynet_format import Detection
from data_modules.errors import InputError
from prompt_video.inference.curve import video_segments
from prompt_video.inference.frames import Progress
from prompt_video.inference.loaded import LoadedModel
from prompt_video.inference.results import SimilarityCurve, VideoScores, VideoSegments
from prompt_video.localization.selection import Selection
from prompt_video.model.rejection import Rejection
from prompt_video.reports.text_formatting import plain, span_text
from prompt_video.search.index import Answer, Hit, VideoIndex
from prompt_video.web.limits import check_letters, texts_of
from prompt_video.web.mistakes import Mistake, MistakesError, telling
from prompt_video.web.uploads import Upload, Uploads

MANY = 10  # texts or hits that are shown; of more, how many there are
LINES = 6  # texts that have a colour, and whose similarity is drawn: those of the best segments first
KEPT = 100  # answers of which files can be asked for
ALL = 1_000_000

Content = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ClipAnswer:
    """All that is known of one clip.

    Args:
        name: of its file.
        scores: of the whole clip.
        curve: similarity over time; None where moments cannot be compared with texts.
        segments: what happens when; None likewise.
        num_cut: texts of which only the beginning fits into the model.
        model: in words.
        notice: what people must know of these figures.
        rule: when a clip shows none of the texts; None where each shows one of them.
    """

    name: str
    scores: VideoScores
    curve: SimilarityCurve | None
    segments: VideoSegments | None
    num_cut: int
    model: str
    notice: str | None
    rule: Rejection | None = None

    def content(self) -> Content:
        """What the page draws."""
        best = self.scores.shown(MANY)
        apart = self._shown(overlapping=False)
        drawn = list(dict.fromkeys([d.label for d in apart] + [one.text for one in best]))[:LINES]
        return {
            "drawn": [plain(text) for text in drawn],
            "verdict": self._verdict(),
            "ranked": [{**one._asdict(), "text": plain(one.text)} for one in best],
            "similarity_name": "Similarity (cosine)" if self.curve else "Score",
            "num_texts": len(self.scores.texts),
            "num_cut": self.num_cut,
            "duration_sec": self.scores.duration_sec,
            "curve": _lines(self.curve, drawn) if self.curve else None,
            "segments": _segments(self._shown(overlapping=True)),
            "apart": _segments(apart),
            "method": self.segments.describe() if self.segments else None,
            "notice": self.notice,
        }

    def _verdict(self) -> Content | None:
        """What the model's rule says of the clip; None where it has none for these texts."""
        if self.rule is None:
            return None
        return {
            "is_known": self.scores.is_known,
            "confidence": self.scores.confidence,
            "threshold": self.rule.threshold,
            "labels": None if self.scores.threshold is None else [plain(one.text) for one in self.scores.labels],
            "rule": self.rule.describe(),
        }

    def _shown(self, *, overlapping: bool) -> Sequence[Detection]:
        return Selection(0.0, ALL, overlapping=overlapping).of(self.segments.segments if self.segments else ())


def _segments(detections: Sequence[Detection]) -> list[Content]:
    return [{"text": plain(d.label), "start": d.start_sec, "end": d.end_sec, "score": d.score} for d in detections]


def _passes(progress: Progress, count: int) -> list[Progress]:
    """One for each pass over the whole video, which together are told of as one."""

    def part(number: int) -> Progress:
        return lambda done, of: progress((number * of + done) / count, of)

    return [part(number) for number in range(count)]


def _lines(curve: SimilarityCurve, texts: list[str]) -> Content:
    columns = [curve.similarity[:, curve.texts.index(text)].tolist() for text in texts]
    lines = [{"text": plain(text), "values": values} for text, values in zip(texts, columns, strict=True)]
    return {"times": curve.times_sec.tolist(), "lines": lines, "span_sec": curve.span_sec}


class Kept:
    """The newest things of a kind, each known by a word that nobody can guess."""

    def __init__(self) -> None:
        self._things: OrderedDict[str, Any] = OrderedDict()

    def put(self, thing: object) -> str:
        """The word for a thing; the oldest one goes."""
        word = token_urlsafe(16)
        self._things[word] = thing
        while len(self._things) > KEPT:
            self._things.popitem(last=False)
        return word

    def get(self, word: str, kind: type[T]) -> T:
        """The thing that this word stands for.

        Raises:
            InputError: when there is none.
        """
        thing = self._things.get(word)
        if not isinstance(thing, kind):
            raise InputError("this answer is no longer here; ask again.")
        return thing


@dataclass(frozen=True)
class Answers:
    """The work behind a page.

    Args:
        model: that scores.
        uploads: videos that may be asked about.
        index: to search in, if there is one.
    """

    model: LoadedModel
    uploads: Uploads
    index: VideoIndex | None = None

    def describe(self) -> str:
        """The model in words, without the folder on this machine that its backbone may be named by."""
        name = self.model.model.backbone.name
        return self.model.describe().replace(name, Path(name).name)

    def score(self, word: str | None, typed: str, progress: Progress) -> ClipAnswer:
        """How well each text fits a clip, as a whole and over time.

        Raises:
            MistakesError: about the video, the texts or the work.
        """
        upload, texts = self._asked(word, typed)
        with telling("texts"):
            self.model.check(texts)
            rule = self.model.rule_for(texts)
        with telling("work"):
            scores = self.model.score(upload.path, texts)
            curve = None
            passes = iter(_passes(progress, self.model.model.prompt.reads_text + self.model.has_detector))
            if self.model.model.prompt.reads_text:  # else moments have no similarity
                curve = self.model.similarity(upload.path, texts, progress=next(passes))
            segments = video_segments(curve, rejection=rule) if curve else None
            if self.model.has_detector:
                segments = self.model.segments(upload.path, texts, progress=next(passes))
        num_cut = sum(map(self.model.has_cut, texts))
        return ClipAnswer(upload.name, scores, curve, segments, num_cut, self.describe(), self.model.notice, rule)

    def _asked(self, word: str | None, typed: str) -> tuple[Upload, list[str]]:
        """What is asked about; of both mistakes each is told."""
        mistakes: list[Mistake] = []
        upload, texts = None, None
        try:
            with telling("video"):
                upload = self.uploads.get(word)
        except MistakesError as error:
            mistakes += error.mistakes
        try:
            with telling("texts"):
                texts = texts_of(typed)
        except MistakesError as error:
            mistakes += error.mistakes
        if upload is None or texts is None:
            raise MistakesError(*mistakes)
        return upload, texts

    def search(self, query: str) -> Answer:
        """The moments of the index that fit best.

        Raises:
            MistakesError: when there is no text or no index.
        """
        with telling("query"):
            if self.index is None:
                raise InputError("there is no index; start the page with --index FOLDER.")
            if not query.strip():
                raise InputError("there is no text yet: type what to look for.")
            check_letters(query.strip())
            (answer,) = self.index.search([query.strip()], MANY)
        return answer


def shown_hit(hit: Hit) -> Content:
    """What the page draws of a moment."""
    return {"name": plain(hit.video_id), "span": span_text(hit.start_sec, hit.end_sec), "score": hit.score}
