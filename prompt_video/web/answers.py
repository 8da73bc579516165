"""What the buttons of the page do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from data_modules.errors import InputError
from prompt_video.inference.loaded import LoadedModel
from prompt_video.io.readable import readable
from prompt_video.reports.text_formatting import span_text
from prompt_video.reports.video_previews import write_preview
from prompt_video.search.index import Hit, VideoIndex
from prompt_video.web import drawing
from prompt_video.web.limits import Limits, check_letters, texts_of


class TitledHit(NamedTuple):
    """A moment of an indexed video.

    Args:
        hit: the moment.
        title: to choose it by.
    """

    hit: Hit
    title: str


@dataclass(frozen=True)
class Answers:
    """The work behind a page.

    Args:
        model: that scores.
        limits: of the uploads.
        index: to search in, if there is one.
    """

    model: LoadedModel
    limits: Limits
    index: VideoIndex | None = None

    def score(self, upload: str | None, typed: str) -> tuple[str, str]:
        """The ranking of the texts and their similarity over time, as HTML.

        Raises:
            InputError: when the video or the texts cannot be used.
            BrokenVideoError: when the video cannot be decoded.
        """
        texts = texts_of(typed)
        video = self.limits.checked(upload)
        best = self.model.score(video, texts).best(drawing.MANY)
        ranking = drawing.ranking(best, len(texts))
        if not self.model.model.prompt.reads_text:  # moments have no similarity then
            return ranking, ""
        named = [one.text for one in best]
        return ranking, drawing.curve(self.model.similarity(video, named, progress=self.limits.deadline()), named)

    def segments(self, upload: str | None, typed: str) -> str:
        """What happens when, as HTML.

        Raises:
            InputError: when the video or the texts cannot be used.
            BrokenVideoError: when the video cannot be decoded.
        """
        texts = texts_of(typed)
        video = self.limits.checked(upload)
        return drawing.segments(self.model.segments(video, texts, progress=self.limits.deadline()))

    def search(self, query: str) -> list[TitledHit]:
        """The moments of the index that fit best.

        Raises:
            InputError: when there is no text or no index.
        """
        if self.index is None:
            raise InputError("there is no index; start the page with --index FOLDER.")
        if not query.strip():
            raise InputError("there is no text yet: type what to look for.")
        check_letters(query.strip())
        (answer,) = self.index.search([query.strip()], drawing.MANY)
        return [TitledHit(hit, _title(rank, hit)) for rank, hit in enumerate(answer.hits, start=1)]

    def clip(self, hits: Sequence[TitledHit], title: str | None) -> str:
        """A copy of one moment that a browser plays, in the folder of the uploads.

        Raises:
            InputError: when it is none of these, or its video is gone.
            BrokenVideoError: when its video cannot be decoded any more.
        """
        hit = next((titled.hit for titled in hits if titled.title == title), None)
        if hit is None:
            raise InputError("this moment is of an earlier search; search again.")
        if not hit.path.is_file():
            raise InputError(f"{readable(hit.video_id)} is not where it was when the index was made.")
        path = self.limits.new_clip()
        write_preview(hit.path, path, hit.start_sec)
        return str(path)


def _title(rank: int, hit: Hit) -> str:
    return f"{rank}. {readable(hit.video_id)}, {span_text(hit.start_sec, hit.end_sec)} ({hit.score:.3f})"
