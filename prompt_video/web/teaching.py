"""Lessons of the page: uploaded clips of typed actions are learned from, and the other ones labelled."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_modules.errors import BrokenVideoError, InputError
from prompt_video.inference.frames import Progress
from prompt_video.inference.kept_views import KeptViews
from prompt_video.inference.loading import load
from prompt_video.inference.results import VideoScores
from prompt_video.io.spreadsheet import write_table
from prompt_video.model.none_of_these import NONE_OF_THESE
from prompt_video.reports.text_formatting import plain
from prompt_video.teaching.examples import examples_of
from prompt_video.teaching.lesson import Lesson
from prompt_video.teaching.teacher import Teacher
from prompt_video.web.answers import Content
from prompt_video.web.mistakes import as_told, telling
from prompt_video.web.uploads import KEPT, Upload, Uploads

MOST_CLIPS, MOST_CLASSES, MOST_LETTERS = 500, 100, 200
RUNS = "runs"
LABELLING = 0.25  # of the time of a lesson
LESSONS_KEPT = 3  # whose models can be taken along


@dataclass(frozen=True, eq=False)
class Taught:
    """What a lesson left.

    Args:
        lesson: of which the checkpoint alone is kept.
        checkpoint: the file.
        labels: of the clips that were to be labelled.
        names: of those clips.
        left_out: sentences on clips that could not be labelled.
    """

    lesson: Lesson
    checkpoint: Path
    labels: Sequence[tuple[str, VideoScores]]
    names: dict[str, str]
    left_out: Sequence[str]

    def content(self) -> Content:
        """What the page draws."""
        content = self.lesson.content()
        for row in content["classes"]:
            row["class"] = plain(row["class"])
        labels = [
            {"video": word, "label": scores.label and plain(scores.label), "best": _best(scores)}
            for word, scores in self.labels
        ]
        none = self.lesson.none.describe() if self.lesson.none else None
        told = [as_told(sentence) for sentence in [*self.lesson.told, *self.left_out]]
        return {**content, "told": told, "none_of_these": none, "labels": labels}

    def write_table(self, path: Path) -> None:
        """The labels as CSV."""
        rows = [
            (self.names[word], rank, *one, scores.label or NONE_OF_THESE)
            for word, scores in self.labels
            for rank, one in enumerate(scores.best(3), start=1)
        ]
        write_table(path, ("video", "rank", "class", "probability", "similarity", "label"), rows)


def _best(scores: VideoScores) -> list[Content]:
    return [{"text": plain(one.text), "probability": one.probability} for one in scores.best(3)]


class Lessons:
    """Gives lessons, one at a time; what is computed of a clip is kept for the next one.

    Args:
        uploads: the clips.
        backbone: the frozen model.
    """

    def __init__(self, uploads: Uploads, backbone: str) -> None:
        self.uploads, self.backbone = uploads, backbone
        self.folder = uploads.folder / KEPT
        self._number = 0

    def teach(self, examples: object, rest: object, progress: Progress) -> Taught:
        """Learn from clips, and label others.

        Args:
            examples: as they came: a list of ``{"video": word, "class": name}``.
            rest: words of the clips to label.
            progress: hears how far it is.

        Raises:
            MistakesError: about the clips, the names or the work.
        """
        with telling("examples"):
            classes, others = self._asked(examples, rest)
        try:
            with telling("examples"):
                lesson = self._lesson(classes, progress)
            with telling("work"):
                return self._label(lesson, self._kept(lesson), others, progress)
        finally:
            shutil.rmtree(self.folder / RUNS, ignore_errors=True)

    def _lesson(self, classes: Sequence[tuple[Upload, str]], progress: Progress) -> Lesson:
        clips = {upload.path: name for upload, name in classes}
        names = {upload.path: upload.name for upload, _ in classes}
        examples = examples_of(self.uploads.folder, clips, names)
        teacher = Teacher(self.folder / RUNS, self.folder / "features", self.backbone)
        return teacher.teach(examples, lambda done, of, _: progress(done / of * (1 - LABELLING), 1.0))

    def _kept(self, lesson: Lesson) -> Path:
        """The checkpoint, where it stays; the oldest one goes."""
        self._number += 1
        checkpoint = self.folder / f"lesson-{self._number}.ckpt"
        shutil.move(lesson.checkpoint, checkpoint)
        (self.folder / f"lesson-{self._number - LESSONS_KEPT}.ckpt").unlink(missing_ok=True)
        return checkpoint

    def _label(
        self, lesson: Lesson, checkpoint: Path, others: Sequence[tuple[str, Upload]], progress: Progress
    ) -> Taught:
        model = load(checkpoint)
        model.kept_views = KeptViews(self.folder / "views")
        labels, left_out = [], []
        for number, (word, upload) in enumerate(others):
            progress(1 - LABELLING * (1 - number / len(others)), 1.0)
            try:
                labels.append((word, model.score(upload.path, model.class_names)))
            except BrokenVideoError as error:
                left_out.append(f"{upload.name} is not labelled: {error.reason}.")
        progress(1.0, 1.0)
        names = {word: upload.name for word, upload in others}
        return Taught(lesson, checkpoint, labels, names, left_out)

    def _asked(self, examples: object, rest: object) -> tuple[list[tuple[Upload, str]], list[tuple[str, Upload]]]:
        """The clips with their classes, and those to label; each upload once."""
        if not isinstance(examples, list) or not isinstance(rest, list):
            raise InputError("examples and the clips to label must be lists.")
        if len(examples) + len(rest) > MOST_CLIPS:
            raise InputError(f"these are {len(examples) + len(rest):,} clips; up to {MOST_CLIPS} are taken.")
        if not examples:
            raise InputError("there are no clips yet: name two actions, and choose a few clips of each.")
        classes = [(self._upload(one), _class_of(one)) for one in examples]
        if len(dict(classes)) < len(classes):
            raise InputError("one clip stands in two places; remove it from one of them.")
        if len({name for _, name in classes}) > MOST_CLASSES:
            raise InputError(f"these are more than {MOST_CLASSES} actions.")
        return classes, [(word, self._upload({"video": word})) for word in dict.fromkeys(map(str, rest))]

    def _upload(self, one: object) -> Upload:
        word = one.get("video") if isinstance(one, dict) else None
        if not isinstance(word, str):
            raise InputError("a clip must be known by its word.")
        upload = self.uploads.get(word)
        self.uploads.keep(word)
        return upload


def _class_of(one: dict[str, object]) -> str:
    """The name of an action, as it is read: blanks for underscores."""
    name = one.get("class")
    if not isinstance(name, str):
        raise InputError("an action needs a name of letters.")
    name = " ".join(name.replace("_", " ").split())
    if not name:
        raise InputError("one of the actions with clips has no name yet: type what its clips show.")
    if len(name) > MOST_LETTERS or not name.isprintable():
        raise InputError(f"an action may have up to {MOST_LETTERS} letters, all of which can be read.")
    return name
