"""What a test of temporal action localization measured, as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from data_modules.annotations.activitynet_format import AnnotatedVideo, Detection
from data_modules.errors import BrokenVideoError
from data_modules.files.atomic import write_whole
from prompt_video.io.templates import render
from prompt_video.localization.selection import Selection, balanced_selection
from prompt_video.localization.verdicts import TIOU, judge
from prompt_video.reports import figures
from prompt_video.reports.film_strip import FilmStrip, read_strip
from prompt_video.reports.media import spread
from prompt_video.reports.page import Table
from prompt_video.reports.timeline_rows import Timeline

ABOUT = {
    "clip_only": "learned prompts and temporal encoder; nothing from outside",
    "frozen": "the same proposals, classified by the frozen CLIP with templates",
    "with_external": "clip_only joined with video-level scores of an outside classifier, which knows all classes",
}
NUM_VIDEOS = 8
MANY_CLASSES = 24  # of more, only the best and the worst half of so many are drawn


@dataclass(frozen=True)
class Scores:
    """Figures of one way to score detections; all of them in [0, 1].

    Args:
        name: ``clip_only``, ``frozen`` or ``with_external``.
        map_at_tiou: mean average precision at each tIoU.
        average: its mean over the tIoUs that the benchmark averages.
        class_ap: average precision of each class that occurs in the truth, averaged in the same way.
    """

    name: str
    map_at_tiou: Mapping[float, float]
    average: float
    class_ap: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposals:
    """How much of the truth the class-agnostic proposals cover; all figures in [0, 1].

    Args:
        recall_at: average recall by the average number of proposals of a video, for the table.
        auc: area under the curve.
        curve: (number of proposals, average recall); empty: no curve is drawn.
    """

    recall_at: Mapping[int, float]
    auc: float
    curve: Sequence[tuple[int, float]] = ()


@dataclass(frozen=True)
class Localization:
    """All that is reported of one test.

    Args:
        scores: rows of the table; detections and classes are shown of the first.
        detections: of each video, by the first row's scores.
        truth: what each video shows.
        proposals: None where they were not measured.
        paths: of the videos, for a film strip above each timeline; those that are missing have none.
    """

    scores: Sequence[Scores]
    detections: Mapping[str, Sequence[Detection]]
    truth: Mapping[str, AnnotatedVideo]
    proposals: Proposals | None = None
    paths: Mapping[str, Path] = field(default_factory=dict)

    @property
    def selection(self) -> Selection:
        """The detections that timelines draw: over all videos as many as there are true actions."""
        return balanced_selection(self.detections, self.truth)


def write_report(path: Path, title: str, about: str, tests: Mapping[str, Localization]) -> None:
    """Write a page about one run.

    Args:
        path: the file, written whole or not at all.
        title: heading.
        about: what made the figures.
        tests: by name, which stands in the headings where there are several.
    """
    parts = {name: _parts(test) for name, test in tests.items()}
    html = render("reports/localization.html.jinja", title=title, about=about, tests=parts, tiou=TIOU)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda partial: partial.write_text(html, encoding="utf-8"))


def _parts(test: Localization) -> dict[str, object]:
    """Tables and figures of one test, as the template names them."""
    from prompt_video.reports.timeline import timeline_svg  # imported late, as it says

    return {
        "scores": _scores_table(test.scores),
        "proposals": _proposals_table(test.proposals) if test.proposals else None,
        "recall": _recall_figure(test.proposals) if test.proposals else [],
        "classes": _class_figures(test.scores) if test.scores[0].class_ap else [],
        "score": test.scores[0].name,
        "min_score": test.selection.min_score,
        "videos": [timeline_svg(timeline) for timeline in timelines(test)],
    }


def timelines(test: Localization, num_videos: int = NUM_VIDEOS) -> list[Timeline]:
    """Some videos, evenly spread from the one that went best to the one that went worst.

    What goes well is told by F1: of the detections that are shown, those that overlap an action of their class enough.

    Args:
        test: what to show.
        num_videos: as many, or fewer where fewer are annotated.
    """
    selection = test.selection
    selected = {video_id: selection.of(test.detections.get(video_id, ())) for video_id in test.truth}
    verdicts = {
        video_id: judge(selected[video_id], video.annotations)
        for video_id, video in test.truth.items()
        if video.annotations
    }
    ranked = sorted(verdicts, key=lambda video_id: (-verdicts[video_id].f1, video_id))
    full_score = max((detection.score for own in selected.values() for detection in own), default=1.0)
    return [
        Timeline(
            title=video_id,
            note=f"{test.scores[0].name}: {verdicts[video_id]}",
            detections=selected[video_id],
            truth=test.truth[video_id].annotations,
            duration_sec=test.truth[video_id].duration_sec,
            strip=_strip(test.paths.get(video_id)),
            full_score=full_score,
        )
        for video_id in spread(ranked, num_videos)
    ]


def _scores_table(scores: Sequence[Scores]) -> Table:
    tious = sorted(scores[0].map_at_tiou)
    header = ("scores", *(f"{tiou:g}" for tiou in tious), "average", "what it is")
    rows = [
        (row.name, *(_percent(row.map_at_tiou[tiou]) for tiou in tious), _percent(row.average), ABOUT.get(row.name, ""))
        for row in scores
    ]
    return Table(header, rows, best=0)


def _proposals_table(proposals: Proposals) -> Table:
    counts = sorted(proposals.recall_at)
    header = ("proposals a video", *(f"{count}" for count in counts), "area under the curve")
    row = ("average recall", *(_percent(proposals.recall_at[count]) for count in counts), _percent(proposals.auc))
    return Table(header, [row])


def _recall_figure(proposals: Proposals) -> list[Markup]:
    if not proposals.curve:
        return []
    labels = ("Average recall of the proposals", "average recall", "proposals a video, on average")
    return [figures.learning_curves({"proposals": proposals.curve}, *labels)]


def _class_figures(scores: Sequence[Scores]) -> list[Markup]:
    first = scores[0]
    frozen = next((row for row in scores[1:] if row.name == "frozen"), None)
    ranked = sorted(first.class_ap, key=lambda name: (-first.class_ap[name], name))
    groups: dict[str, list[str]] = {"": ranked}
    if len(ranked) > MANY_CLASSES:
        groups = {"best: ": ranked[: MANY_CLASSES // 2], "worst: ": ranked[-MANY_CLASSES // 2 :]}
    longest = max(ap for row in (first, frozen) if row for ap in row.class_ap.values())
    return [
        figures.bars(
            {name: first.class_ap[name] for name in names},
            f"{which}average precision of {first.name}",
            "average precision, mean over overlaps",
            longest,
            frozen.class_ap if frozen else {},
            frozen.name if frozen else "",
        )
        for which, names in groups.items()
    ]


def _strip(path: Path | None) -> FilmStrip | None:
    try:
        return read_strip(path) if path is not None else None
    except BrokenVideoError:
        return None


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
