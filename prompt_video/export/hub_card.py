"""The model card: what a model is, what its run measured, how to load it, and where it ends."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from torch import Tensor

from prompt_video.model.calibration import Calibration
from prompt_video.model.hub_folder import UNNAMED_BACKBONE
from prompt_video.model.independent import IndependentLabels
from prompt_video.model.kinds import text_head
from prompt_video.model.rejection import Rejection

# A task's name: words for it, the hub's name of the kind of model, and tags.
_TASKS = {
    "RecognitionTask": ("action recognition", "video-classification", ["action-recognition"]),
    "MultiLabelTask": ("multi-label action recognition", "video-classification", ["action-recognition", "multi-label"]),
    "LocalizationTask": ("temporal action localization", "video-classification", ["temporal-action-localization"]),
    "RetrievalTask": ("text-video retrieval", "feature-extraction", ["text-video-retrieval"]),
}
_UNKNOWN: tuple[str, str, list[str]] = ("scoring videos against texts", "video-classification", [])
_METRICS = {
    "top1": "accuracy",
    "map": "mean_average_precision",
    "map_avg": "mean_average_precision",
}  # ours, and the hub's names of some
_MOST_NAMES = 30  # class names that are shown


def card(config: Mapping[str, Any], state: Mapping[str, Tensor], results: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        config: the folder's ``config.json``.
        state: the learned weights.
        results: of the run, empty if they are not known.
    """
    words, pipeline, tags = _TASKS.get(_kind(config, state), _UNKNOWN)
    backbone = config["spec"]["backbone"]["name"]
    front: dict[str, Any] = {
        "license": "mit",
        "library_name": "prompt-video",
        "pipeline_tag": pipeline,
        "tags": ["video", "clip", "prompt-learning", "zero-shot", *tags],
    }
    if backbone not in ("tiny", UNNAMED_BACKBONE):
        front |= {"base_model": backbone, "base_model_relation": "adapter"}
    title = _title(config, state, words)
    front |= _model_index(results, title, pipeline)
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False)}---",
        f"# {title}",
        _what(config, state, words),
        _figures(results),
        _use(config),
        _limits(config, state),
        _licence(backbone),
    ]
    return "\n\n".join(parts) + "\n"


def _model_index(results: Mapping[str, Any], title: str, pipeline: str) -> dict[str, Any]:
    """The figures of the test, as the hub reads them; nothing where there are none.

    Source: the model-index of https://github.com/huggingface/hub-docs/blob/main/modelcard.md.
    """
    measured = measured_in(results)
    if not measured:
        return {}
    metrics = [{"type": _METRICS.get(name, name), "name": name, "value": value} for name, value in measured.items()]
    dataset = {"type": "video", "name": str(results.get("protocol", "not noted")), "split": "test"}
    return {
        "model-index": [
            {"name": title, "results": [{"task": {"type": pipeline}, "dataset": dataset, "metrics": metrics}]}
        ]
    }


def measured_in(results: Mapping[str, Any]) -> dict[str, float]:
    """The figures of the test, without ``test/`` in front."""
    metrics = results.get("metrics", {})
    measured = {name: value for name, value in metrics.items() if not name.endswith("/videos")}
    return {name.removeprefix("test/"): value for name, value in measured.items() if name.startswith("test/")}


def _title(config: Mapping[str, Any], state: Mapping[str, Tensor], words: str) -> str:
    """What the model is: ``Action recognition: learned prompts on the frozen openai/clip-vit-base-patch16``."""
    prompt = config["spec"]["prompt"]["kind"]
    if not text_head(prompt).reads_text:
        learned = "a linear probe"
    elif any("prompt." in name for name in state):
        learned = "learned prompts"
    else:
        learned = "what was learned of time, with hand-written prompts," if state else "hand-written prompts"
    backbone = config["spec"]["backbone"]["name"]
    told = {"tiny": "the built-in toy model", UNNAMED_BACKBONE: "a frozen model of one's own"}
    return f"{words[0].upper()}{words[1:]}: {learned} on {told.get(backbone, f'the frozen {backbone}')}"


def _kind(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> str:
    if any(name.startswith("detector.") for name in state):
        return "LocalizationTask"
    return str(config["task"].get("kind"))


def _what(config: Mapping[str, Any], state: Mapping[str, Tensor], words: str) -> str:
    spec, count = config["spec"], sum(weight.numel() for weight in state.values())
    backbone = spec["backbone"]["name"]
    layers, kind = spec["temporal"].get("num_layers"), spec["temporal"].get("kind")
    frames = f"a temporal encoder of {layers} layer{'s' * (layers > 1)}" if layers else "the mean of the frames"
    frames = frames if kind is None else f"`{kind}`"
    lines = [
        f"A model for {words}: {count:,} learned weights on a frozen backbone, which scores a video against a list of "
        f"texts. Exported with prompt-video {config['prompt_video_version']}.",
        "",
        f"- Frozen backbone: {'the tiny one that comes with prompt-video' if backbone == 'tiny' else backbone}, "
        f"fingerprint `{spec['backbone']['fingerprint']}`. Its weights are not in this folder.",
        f"- Texts: `{spec['prompt']['kind']}`; video: {frames}.",
    ]
    if config["trial"]:
        lines.append(f"- Trial of its protocol: {config['trial']}.")
    if (calibration := Calibration.of(config["calibration"])).num_videos:
        lines.append(f"- Calibrated: {calibration.describe()}.")
    if (rejection := Rejection.of(config["rejection"])) is not None:
        lines.append(f"- A video shows {rejection.describe()}.")
    if names := config["class_names"]:
        lines.append(f"- Classes in training ({len(names)}): {_listed(names)}.")
    return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more, in config.json" if rest > 0 else "")


def _figures(results: Mapping[str, Any]) -> str:
    measured = measured_in(results)
    if not measured:
        return "## Figures\n\nNo figures of a test lay beside the checkpoint when this folder was written."
    lines = [
        "## Figures",
        "",
        "Measured by the training run itself, on its own test videos, with the epoch that it tested, which need not be "
        "the one of these weights; nobody else has checked them. "
        f"Protocol: {results.get('protocol', 'not noted')} Seed: {results.get('seed', 'not noted')}.",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name} | {value:.4g} |" for name, value in measured.items()),
    ]
    if used := results.get("samples", {}).get("test", {}):
        lines += ["", f"Test videos: {used.get('used')} used, {used.get('dropped')} dropped because they are broken."]
    return "\n".join(lines)


def _use(config: Mapping[str, Any]) -> str:
    backbone = ', backbone="FOLDER_OF_ITS_BACKBONE"' if config["spec"]["backbone"]["name"] == UNNAMED_BACKBONE else ""
    texts = list(config["class_names"] or ["a dog that runs", "a cat that sleeps"])[:3]
    note = (
        "\n\nThe backbone was in a local folder, so that `backbone=` must say where it is; another is refused by its "
        "fingerprint."
        if backbone
        else ""
    )
    return (
        "## Use\n\nWith `prompt-video` installed:\n\n```python\nimport prompt_video\n\n"
        f'model = prompt_video.load("THIS_FOLDER"{backbone})\n'
        f'print(model.score("video.mp4", {texts!r}))\n```{note}'
    )


def _limits(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> str:
    lines = ["## Limits", ""]
    if not (head := text_head(config["spec"]["prompt"]["kind"])).reads_text:
        lines.append(f"- It is {head.called}: {head.knows}.")
    else:
        lines.append("- Any text can be scored; how well it does on texts far from those of training is not known.")
    if (labels := IndependentLabels.of(config["task"])) is not None:
        lines.append(f"- A video may show several texts or none: {labels.describe()}.")
    else:
        lines.append("- Scores compare texts with one another; they are not probabilities of being right.")
    lines.append("- It sees a few frames of a video and no sound.")
    if not state:
        lines.append("- Nothing was learned: this is the frozen backbone with hand-written prompts.")
    return "\n".join([*lines, "- What the backbone learned from the web, its biases too, is in every score."])


def _licence(backbone: str) -> str:
    its = (
        "comes with prompt-video under the same licence"
        if backbone == "tiny"
        else "is another's work with its own terms"
    )
    return (
        f"## Licence\n\nThe learned weights: MIT, see LICENSE. The frozen backbone {its}; videos and texts have theirs."
    )
