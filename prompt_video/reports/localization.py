"""What a test of temporal action localization shows on a page: precision at each overlap, proposals, timelines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_modules.annotations.activitynet_format import AnnotatedVideo, Detection
from data_modules.errors import BrokenVideoError
from prompt_video.localization.selection import Selection, balanced_selection
from prompt_video.localization.verdicts import TIOU, judge
from prompt_video.reports.document import Note, Part, Plots, Section
from prompt_video.reports.film_strip import FilmStrip, read_strip
from prompt_video.reports.media import spread
from prompt_video.reports.tables import ABOUT_BEST, Cell, Column, Figure, Table
from prompt_video.reports.timeline_rows import Timeline
from prompt_video.tasks.detection_results import CLIP_ONLY, FROZEN, VIDEOS, WITH_EXTERNAL, DetectionResults

TITLES = {FROZEN: "zero-shot", CLIP_ONLY: "learned", WITH_EXTERNAL: "learned, with outside scores"}
ABOUT = {
    FROZEN: "the same proposals, named zero-shot by the frozen model with templates",
    CLIP_ONLY: "learned prompts and temporal encoder; nothing from outside",
    WITH_EXTERNAL: "joined with video-level scores of an outside classifier, which knows all classes",
}
NUM_VIDEOS = 8


@dataclass(frozen=True)
class Shown:
    """Videos of a test with what was detected in them.

    Args:
        score: which score the detections have.
        detections: of each video.
        truth: what each video shows.
        paths: of the videos, for a film strip above each timeline; those that are missing have none.
    """

    score: str
    detections: Mapping[str, Sequence[Detection]]
    truth: Mapping[str, AnnotatedVideo]
    paths: Mapping[str, Path] = field(default_factory=dict)

    @property
    def selection(self) -> Selection:
        """The detections that timelines draw: over all videos as many as there are true actions."""
        return balanced_selection(self.detections, self.truth)


def shown(results: DetectionResults) -> Shown:
    """The videos of a test with the detections of the learned model."""
    return Shown(TITLES[CLIP_ONLY], results.detections[CLIP_ONLY], results.truth(), results.paths())


def localization_sections(results: DetectionResults) -> list[Section]:
    """Precision at every overlap and some videos of one test."""
    return [Section("Every overlap", [overlap_table(results)]), Section("Videos", video_parts(shown(results)))]


def overlap_table(results: DetectionResults) -> Table:
    """A line a score, the zero-shot model's first; a column for each overlap that makes a detection right."""
    names = [name for name in TITLES if name in results.detections]
    figures = [*(f"map@{tiou:g}" for tiou in results.tious), "map_avg"]
    group = "mAP at an overlap (tIoU) of"
    headings = [*(f"{tiou:g}" for tiou in results.tious), "average"]
    rows: list[list[Cell]] = [
        [TITLES[name], *(Figure(100 * results.figures[results.key(name, figure)]) for figure in figures)]
        for name in names
    ]
    columns = [Column("scores", is_text=True), *(Column(heading, "%", "higher", group) for heading in headings)]
    told = "; ".join(f"{TITLES[name]}: {ABOUT[name]}" for name in names)
    videos = f"{results.figures[VIDEOS]:,.0f} videos"
    return Table(
        f"Mean average precision over {videos}", columns, rows, notes=[f"{ABOUT_BEST} {told[0].upper()}{told[1:]}."]
    )


def video_parts(test: Shown, num_videos: int = NUM_VIDEOS) -> list[Part]:
    """Timelines of some videos, with a word on what is drawn."""
    from prompt_video.reports.timeline import timeline_plot  # imported late, as it says

    drawn = timelines(test, num_videos)
    if not drawn:
        return ["No video is annotated."]
    about = (
        f"Detections with a score of {test.selection.min_score:.3f} or more: over all videos as many as there are true "
        "actions. The videos are spread evenly from the one with the best F1 to the one with the worst; a detection is "
        f"right when its overlap with an action of its class is {TIOU} or more."
    )
    return [Note(about), Plots([timeline_plot(timeline) for timeline in drawn])]


def timelines(test: Shown, num_videos: int = NUM_VIDEOS) -> list[Timeline]:
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
            note=f"{test.score}: {verdicts[video_id]}",
            detections=selected[video_id],
            truth=test.truth[video_id].annotations,
            duration_sec=test.truth[video_id].duration_sec,
            strip=_strip(test.paths.get(video_id)),
            full_score=full_score,
        )
        for video_id in spread(ranked, num_videos)
    ]


def _strip(path: Path | None) -> FilmStrip | None:
    try:
        return read_strip(path) if path is not None else None
    except BrokenVideoError:
        return None
