"""``prompt-video teach``: a few clips of each of your actions in, a model that knows them out.

The examples lie in class folders, examples/<action>/<clip>, and clips that show none of the actions, if there are any,
in examples/none. Three methods are tried on examples that are held out, the best one learns from all of them, and what
it mistakes is said. With --then the next command is run with what was taught:

  prompt-video teach examples/ --then label my_videos/ --csv labels.csv

To correct, move or copy wrongly labelled clips into the folders of their actions, or name them in a CSV, such as that
of labels with the right rows deleted (--corrections), and teach again: what was computed of a clip is kept.
"""

import shlex
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from data_modules.errors import InputError
from prompt_video.backbones.names import check_name
from prompt_video.commands.verbs import VERBS
from prompt_video.experiment.stopping import Stopped
from prompt_video.io import console
from prompt_video.io.outputs import check_file, check_folder
from prompt_video.io.progress import Steps
from prompt_video.io.tables import new_table
from prompt_video.io.verb_parser import VerbParser
from prompt_video.io.video_files import files_of
from prompt_video.reports.text_formatting import class_text

if TYPE_CHECKING:
    from prompt_video.teaching.lesson import Lesson

THEN = "--then"
TAKERS = ("label", "segment", "predict", "test", "serve", "export")  # verbs that take --ckpt
FILES, FOLDERS = {"json", "csv", "bank"}, {"srt", "out", "onnx", "hub"}  # that those write
STEPS = 100  # of the bar


def main(arguments: list[str]) -> int:
    """Teach, then run what comes next.

    Returns:
        The exit code of what comes next; 0 without any.
    """
    words = arguments[1:]
    place = words.index(THEN) if THEN in words else len(words)
    following = words[place + 1 :]
    options = parser().parse(words[:place])
    check_name(options.backbone)
    _check_following(following, options.examples, asked=place < len(words))

    from prompt_video.teaching.corrections import take_corrections
    from prompt_video.teaching.examples import read_examples
    from prompt_video.teaching.teacher import Teacher

    console.configure()
    if options.corrections is not None:
        count = take_corrections(options.examples, options.corrections)
        print(f"{count} corrected clips are examples now")
    examples = read_examples(options.examples)
    teacher = Teacher(options.runs, options.features_root, options.backbone, options.seed_everything, options.name)
    with Steps("teaching", STEPS, "%", stdout=True) as steps:
        lesson = teacher.teach(examples, lambda done, of, what: steps.to(STEPS * done / of, what=what))
    _tell(lesson)
    if following[:1] == ["label"]:  # the next lesson's labels need not decode the same clips
        following = [*following, "--keep_in", str(options.features_root / "views")]
    return _run(following, lesson.checkpoint) if following else 0


def _check_following(words: list[str], examples: Path, *, asked: bool) -> None:
    """What comes next is looked at before minutes go into a lesson."""
    if asked and (not words or words[0] not in TAKERS):
        raise InputError(f"behind {THEN} stands a command that takes what was taught: {', '.join(TAKERS)}.")
    for word in words[1:]:
        path = Path(word)
        if path.exists() and path.resolve().is_relative_to(examples.resolve()):
            raise InputError(f"{word} lies inside the examples, which are what is learned from: name another folder.")
    if asked and words[0] != "test":  # whose options are an experiment's
        following = vars(import_module(VERBS[words[0]][0]).parser().parse([*words[1:], "--ckpt", str(examples)]))
        for option in FILES & following.keys():
            check_file(following[option], f"--{option}")
        for option in FOLDERS & following.keys():
            check_folder(following[option], f"--{option}")
        files_of(following.get("video", []))


def _run(words: list[str], checkpoint: Path) -> int:
    arguments = [*words, "--ckpt", str(checkpoint)]
    try:
        outcome = import_module(VERBS[words[0]][0]).main(arguments)
    except Stopped as stopped:  # the lesson is over
        stopped.how_to_go_on = f"prompt-video {shlex.join(arguments)} goes on with what was taught."
        raise
    return outcome if isinstance(outcome, int) else 0


def _tell(lesson: "Lesson") -> None:
    terminal = console.Terminal()
    content = lesson.content()
    table = new_table()
    table.add_column("class", overflow="fold")
    table.add_column("examples", justify="right")
    if lesson.held_out:
        table.add_column("right when held out", justify="right")
    for row in content["classes"]:
        right = [f"{row['right']} of {row['held_out']}"] if lesson.held_out else []
        table.add_row(class_text(row["class"]), str(row["examples"]), *right)
    terminal.print(table)
    for sentence in lesson.told:
        terminal.print(sentence, soft_wrap=True, highlight=False)
    tried = ", ".join(f"{name} {one.right} of {len(one.examples)}" for name, one in lesson.tried.items())
    if lesson.held_out:
        terminal.print(f"{lesson.held_out.describe()}; tried were {tried}", highlight=False)
    if lesson.none:
        terminal.print(f"none of these: {lesson.none.describe()}", soft_wrap=True)
    terminal.print(f"taught with {lesson.method}: {lesson.checkpoint}", soft_wrap=True, highlight=False)


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("teach", __doc__)
    parser.add_argument("examples", type=Path, metavar="FOLDER", help="with a folder of clips for each action")
    parser.add_argument(
        "--corrections", type=Path, metavar="CSV", help="video,class: clips that are linked into the examples first"
    )
    parser.add_argument("--backbone", type=str, default="tiny", help="the frozen model: short name, hub id or folder")
    parser.add_argument("--name", type=str, default="taught", help="of what is taught, a folder in that for runs")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for run folders")
    parser.add_argument(
        "--features_root", type=Path, default=Path("features"), help="where frame features are kept from time to time"
    )
    parser.add_argument("--seed_everything", type=int, default=0, metavar="N", help="of all that is drawn")
    parser.epilog = f"{THEN} VERB ...: {', '.join(TAKERS)}, with the options of that command, at the end."
    return parser
