"""``prompt-video export``: a trained model for other programs, and for other people.

--ckpt is a run's checkpoint, an imported one, a folder that --hub has written, or an id on the hub. --onnx writes
graphs from frames and from features to embeddings, with a bank of classes to score them against; --bank writes a bank
alone, which takes the place of another without writing the graphs again. --hub writes a folder that
`prompt_video.load` reads, and --push puts it on the HuggingFace hub, from where `load` and --ckpt read it by its id,
user/model[@revision].
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from data_modules.annotations.class_names import read_class_names
from data_modules.errors import InputError
from prompt_video.export.opset import OPSET
from prompt_video.io.outputs import check_file, check_folder
from prompt_video.io.readable import readable
from prompt_video.io.run_files import CHECKPOINTS
from prompt_video.io.verb_parser import VerbParser
from prompt_video.reports.comparison.kinds import RESULTS, misfit

if TYPE_CHECKING:
    from prompt_video.model.hub_folder import Learned


def main(arguments: list[str]) -> None:
    """Write what is asked for."""
    options = parser().parse(arguments[1:])
    if not (options.onnx or options.bank or options.hub):
        raise InputError("say what to write: --onnx DIR, --bank FILE, --hub DIR, or several of them.")
    if options.onnx and options.hub and options.onnx.resolve() == options.hub.resolve():
        raise InputError("--onnx and --hub need a folder each.")
    if options.classes is not None and options.classes_file is not None:
        raise InputError("--classes and --classes_file name classes both: take one of them.")
    if options.push and not options.hub:
        raise InputError("--push puts a folder on the hub: say with --hub DIR where it is written first.")
    check_folder(options.onnx, "--onnx")
    check_file(options.bank, "--bank")
    check_folder(options.hub, "--hub")

    from prompt_video.export.hub import write_hub_folder
    from prompt_video.model.checkpoints import read_learned

    checkpoint = read_learned(options.ckpt)
    if options.onnx or options.bank:
        _write_for_programs(checkpoint, options)
    if options.hub:
        results = _results_of(options.ckpt)
        write_hub_folder(checkpoint, options.hub, results)
        figures = "the figures of its run" if results else "no figures: no results.json lies beside the checkpoints"
        print(readable(f"wrote {options.hub}: model card ({figures}), licence, learned weights, config"))
        if options.push:
            from prompt_video.export.push import push

            print(readable(f"pushed it: {push(options.hub, options.push)}"))


def _write_for_programs(checkpoint: "Learned", options: Namespace) -> None:
    from prompt_video.export.bank import make_bank
    from prompt_video.export.onnx_folder import BANK, write_onnx_folder
    from prompt_video.model.checkpoints import open_model

    model = open_model(checkpoint, options.backbone)
    names = _names(checkpoint, options)
    if options.onnx:
        difference = write_onnx_folder(model, options.onnx, names, options.opset, checkpoint.task)
        print(readable(f"wrote {options.onnx}; ONNX differs from PyTorch by {difference:.1g} at most"))
        if names is None:
            print(f"no {BANK}: the checkpoint names no classes; --bank FILE --classes ... writes one")
    if options.bank:
        if names is None:
            raise InputError("the checkpoint names no classes; name them with --classes or --classes_file.")
        make_bank(model, names).write(options.bank)
        print(readable(f"wrote {options.bank}: {len(names)} classes"))


def _names(checkpoint: "Learned", options: Namespace) -> list[str] | None:
    """Of the classes in the bank; None where nobody names any."""
    if options.classes is not None:
        return [name.strip() for name in options.classes.split(",")]
    if options.classes_file is not None:
        return read_class_names(options.classes_file)
    return list(checkpoint.spec.get("class_names") or checkpoint.class_names or []) or None


def _results_of(checkpoint: Path) -> dict[str, Any]:
    """What the run measured: its folder holds the folder of the checkpoints."""
    place = checkpoint.resolve().parent
    path = place.parent / "results.json"
    if place.name != CHECKPOINTS or not checkpoint.is_file() or not path.is_file():
        return {}
    try:
        results: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        results = None
    if results is None or misfit(results, RESULTS) is not None:
        raise InputError(f"{path} is damaged; mend it, or move it away to write a card without figures.")
    return results


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("export", __doc__)
    parser.add_argument(
        "--ckpt", type=Path, required=True, help="checkpoint, folder for the hub, or user/model[@revision]"
    )
    parser.add_argument("--onnx", type=Path, metavar="DIR", help="folder for the graphs and the bank of classes")
    parser.add_argument("--bank", type=Path, metavar="FILE", help="file for a bank of classes alone (.safetensors)")
    parser.add_argument("--hub", type=Path, metavar="DIR", help="folder for the HuggingFace hub")
    parser.add_argument(
        "--push",
        type=str,
        metavar="USER/MODEL",
        help="put that folder on the hub, USER/MODEL@BRANCH on a branch; with `hf auth login`, or HF_TOKEN",
    )
    parser.add_argument(
        "--classes",
        type=str,
        metavar="NAMES",
        help="of the bank, with commas between them (default: those of the training)",
    )
    parser.add_argument("--classes_file", type=Path, metavar="FILE", help="the same, one a line")
    parser.add_argument("--opset", type=int, default=OPSET, help="version of ONNX's operators")
    parser.add_argument("--backbone", type=str, help="where the checkpoint's frozen model is now: hub id or folder")
    return parser
