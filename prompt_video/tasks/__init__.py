"""The tasks: each a loss and metrics around one `VideoTextModel`."""

from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.localization import LocalizationTask
from prompt_video.tasks.recognition import RecognitionTask

__all__ = ["LocalizationTask", "RecognitionTask", "VideoTextTask"]
