"""What keeps learned features near the frozen backbone's: settings that all tasks which name classes have."""

from data_modules.errors import InputError
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.text_head import TextHead


def check_regularizers(
    prompt: TextHead, temporal: TemporalEncoder, text_consistency: float, video_consistency: float, feature_noise: float
) -> None:
    """Refuse weights that make no sense.

    Args:
        prompt: the text head that they are for.
        temporal: the temporal encoder that they are for.
        text_consistency: weight of the drift of text features.
        video_consistency: weight of the drift of features of videos or segments.
        feature_noise: relative standard deviation of the noise.

    Raises:
        InputError: when one is negative, or the text head has no text features.
    """
    if min(text_consistency, video_consistency, feature_noise) < 0:
        raise InputError("model: text_consistency, video_consistency and feature_noise must be 0 or more.")
    if text_consistency and not prompt.reads_text:
        raise InputError(f"model: {prompt.called} has no text features that text_consistency could pull at.")
    if (text_consistency or video_consistency) and max(prompt.text_parts, temporal.video_parts) > 1:
        raise InputError("model: text_consistency and video_consistency are for one vector a text and a video.")
