"""The tasks: each a loss and metrics around one `VideoTextModel`."""

from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.localization import LocalizationTask
from prompt_video.tasks.multi_label import MultiLabelTask
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.tasks.retrieval import RetrievalTask

__all__ = ["LocalizationTask", "MultiLabelTask", "RecognitionTask", "RetrievalTask", "VideoTextTask"]
