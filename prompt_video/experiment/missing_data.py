"""Why the data of an experiment cannot be used, found without its model."""

from typing import Any, cast

from data_modules.errors import InputError
from data_modules.modules.base import VideoDataModule
from prompt_video.experiment.building import build


def why_no_data(settings: Any) -> str | None:  # noqa: ANN401 - a namespace of the configuration
    """What is wrong with the data of an experiment; None where they can be used.

    Args:
        settings: of the experiment, resolved.
    """
    try:
        data = cast(VideoDataModule, build(VideoDataModule, settings["data"]))
        paths = {record.path for records in data.videos().values() for record in records}
    except InputError as error:
        return str(error)
    # A world that renders its videos need not have them yet, and stored features may have outlived theirs.
    if type(data).prepare_data is not VideoDataModule.prepare_data or data.features not in ("auto", "off"):
        return None
    lost = sorted(path for path in paths if not path.exists())
    if len(lost) <= data.dropped_videos.max_fraction * len(paths):
        return None
    return (
        f"{len(lost):,} of the {len(paths):,} videos of {type(data).__name__} are not there, the first being "
        f"{lost[0]}; `prompt-video doctor` names all, and data.root says where they are."
    )
