"""Whether every text fits into the text encoder, beside the learned vectors or inside the templates."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TypeAlias

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.model.prompt import PromptLearner, TemplatePrompt
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.preflight.check_results import CheckResult, Verdict, count

TITLE = "name lengths"
CHUNK = 10_000  # texts that are tokenized in one call

Reader: TypeAlias = PromptLearner | TemplatePrompt


def check_texts(model: VideoTextModel, names: Sequence[str]) -> CheckResult:
    """Count the tokens of every class name.

    Args:
        model: whose text head is to read them.
        names: each once.
    """
    return first_problem([_check(reader, model.backbone, names, where) for reader, where in readers(model)])


def readers(model: VideoTextModel) -> list[tuple[Reader, str]]:
    """What reads texts, the model's own text head first, and what stands beside a text there, in words."""
    head, frozen = model.prompt, (model.frozen_prompt, " in the frozen backbone's templates")
    if isinstance(head, PromptLearner):
        return [(head, f" beside {head.num_prefix} + {head.num_suffix} learned vectors"), frozen]
    return [(head, " in the templates"), frozen] if isinstance(head, TemplatePrompt) else [frozen]


def first_problem(results: Sequence[CheckResult]) -> CheckResult:
    """The first result that is not ok, or the first one."""
    return next((result for result in results if result.verdict != "ok"), results[0])


def token_counts(reader: Reader, backbone: FrozenBackbone, texts: Iterable[str]) -> dict[str, int]:
    """Tokens of each text, in the template that makes it longest."""
    templates = reader.templates if isinstance(reader, TemplatePrompt) else ["{}"]
    counts: dict[str, int] = {}
    rest = iter(texts)
    while some := list(islice(rest, CHUNK)):
        for template in templates:
            tokens = backbone.tokenize([template.replace("{}", text) for text in some])
            for text, own in zip(some, tokens, strict=True):
                counts[text] = max(counts.get(text, 0), len(own))
    return counts


def _check(reader: Reader, backbone: FrozenBackbone, names: Sequence[str], where: str) -> CheckResult:
    counts = token_counts(reader, backbone, names)
    over = sorted(((number, name) for name, number in counts.items() if number > reader.room), reverse=True)
    if not over:
        longest = max(counts.values(), default=0)
        return CheckResult(TITLE, "ok", f"the longest has {longest} tokens, and there is room for {reader.room}{where}")
    verdict: Verdict = "error" if reader.too_long == "error" else "warning"
    does = "does" if len(over) == 1 else "do"
    outcome = "" if reader.too_long == "error" else ": cut off"
    summary = f"{count(len(over), 'class name')} {does} not fit into the {reader.room} tokens{where}{outcome}"
    return CheckResult(TITLE, verdict, summary, [f"'{name}' has {number} tokens" for number, name in over])
