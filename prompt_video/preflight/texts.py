"""Whether every class name fits into CLIP's text encoder, beside the learned vectors or inside the templates."""

from collections.abc import Sequence

from prompt_video.backbones.clip import FrozenCLIP
from prompt_video.model.prompt import PromptLearner, TemplatePrompt
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.preflight.check_results import CheckResult, Verdict, count

TITLE = "name lengths"


def check_texts(model: VideoTextModel, names: Sequence[str]) -> CheckResult:
    """Count the tokens of every class name.

    Args:
        model: whose text head is to read them.
        names: each once.
    """
    side = model.prompt
    results = [_check(model.frozen_prompt, "truncate", model.clip, names, " in the frozen CLIP's templates")]
    if isinstance(side, PromptLearner):
        beside = f" beside {side.num_prefix} + {side.num_suffix} learned vectors"
        results.insert(0, _check(side, side.too_long, model.clip, names, beside))
    elif isinstance(side, TemplatePrompt):
        results.insert(0, _check(side, side.too_long, model.clip, names, " in the templates"))
    return next((result for result in results if result.verdict != "ok"), results[0])


def _check(
    side: PromptLearner | TemplatePrompt, too_long: str, clip: FrozenCLIP, names: Sequence[str], where: str
) -> CheckResult:
    templates = side.templates if isinstance(side, TemplatePrompt) else ["{}"]
    tokens = clip.tokenize([template.replace("{}", name) for name in names for template in templates])
    lengths = [len(own) for own in tokens]
    longest = [max(lengths[start : start + len(templates)]) for start in range(0, len(lengths), len(templates))]
    over = [(number, name) for number, name in zip(longest, names, strict=True) if number > side.room]
    if not over:
        return CheckResult(
            TITLE, "ok", f"the longest has {max(longest, default=0)} tokens, and there is room for {side.room}{where}"
        )
    verdict: Verdict = "error" if too_long == "error" else "warning"
    does = "does" if len(over) == 1 else "do"
    outcome = "" if too_long == "error" else ": cut off"
    summary = f"{count(len(over), 'class name')} {does} not fit into the {side.room} tokens{where}{outcome}"
    return CheckResult(
        TITLE, verdict, summary, [f"'{name}' has {number} tokens" for number, name in sorted(over)[::-1]]
    )
