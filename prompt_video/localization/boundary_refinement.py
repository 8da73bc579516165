"""How the two ends of a proposed segment are corrected, by what is to be seen around them."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from prompt_video.localization.interpolation import interpolated

BOUNDARY_SAMPLES = 8  # places around an end that refinement looks at
BOUNDARY_REACH = 0.25  # how far around, as a share of the segment's length


class BoundaryRefinement(nn.Module):
    """Looks around both ends of a segment, and says how to move them and how well it is met.

    Args:
        channels: of the frame features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ends = nn.Linear(channels, 2 * channels)
        self.inside = nn.Linear(channels, channels)
        self.hidden = nn.Linear(3 * channels, channels)
        self.out = nn.Linear(channels, 3)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, frames: Float[Tensor, "R T C"], mask: Bool[Tensor, "R T"], segments: Float[Tensor, "R N 2"]
    ) -> tuple[Float[Tensor, "R N 2"], Float[Tensor, "R N"]]:
        """How far to move each end, as a share of the segment's length; and the logit of the overlap."""
        start_frames, end_frames = self.ends(frames).chunk(2, dim=-1)
        start, end = segments.unbind(-1)
        reach = BOUNDARY_REACH * (end - start).clamp(min=1.0)
        pooled = [
            _sampled(start_frames, mask, start - reach, start + reach).amax(2),
            _sampled(end_frames, mask, end - reach, end + reach).amax(2),
            _sampled(self.inside(frames), mask, start, end).amax(2),
        ]
        moves, quality = self.out(F.relu(self.hidden(torch.cat(pooled, dim=-1)))).split([2, 1], dim=-1)
        return moves, quality.squeeze(-1)


def _sampled(
    frames: Float[Tensor, "R T C"], mask: Bool[Tensor, "R T"], start: Float[Tensor, "R N"], end: Float[Tensor, "R N"]
) -> Float[Tensor, "R N M C"]:
    """Frame features at evenly spread places from start to end."""
    num_windows, num_segments = start.shape
    share = torch.linspace(0, 1, BOUNDARY_SAMPLES, device=start.device, dtype=start.dtype)
    places = torch.lerp(start.unsqueeze(-1), end.unsqueeze(-1), share).flatten(0, 1)
    rows = torch.arange(num_windows, device=frames.device).repeat_interleave(num_segments)
    features, _ = interpolated(frames, mask, rows, places)
    return torch.unflatten(features, 0, (num_windows, num_segments))
