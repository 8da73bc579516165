"""What the files of a run are called, for those who write them and those who look for them."""

from pathlib import Path

CHECKPOINTS = "checkpoints"  # folder, in that of the run
LAST, BEFORE_LAST, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"
CONFIG = "config.yaml"  # the resolved settings
JOURNAL = "trials.jsonl"  # the finished trials of a protocol
TRAINED = (JOURNAL, f"{CHECKPOINTS}/{LAST}", f"{CHECKPOINTS}/{BEFORE_LAST}")  # what a training leaves, to go on from
TRIALS = "trials"  # folder of one for each trial
LEARNED = "learned.ckpt"  # of a trial
# Tables of a test, with its name behind theirs where there are several.
BY_CLASS, BY_VIDEO, BY_CAPTION = "by_class", "by_video", "by_caption"
REPORT = "report.html"  # for people
FAILED = "failed.txt"  # why a run has failed
NO_CHECKPOINT = "no checkpoint"  # what the results of a test name, where a model was tested as it is made


def run_of(checkpoint: Path) -> Path | None:
    """The run folder that a checkpoint lies in: of a run, or of one of its trials; what only lies near is none.

    Args:
        checkpoint: ``RUN/checkpoints/NAME.ckpt`` or ``RUN/trials/NUMBER/NAME.ckpt``, there or not.
    """
    for path in (checkpoint, checkpoint.absolute()):
        depth = 1 if path.parent.name == CHECKPOINTS else 2 if path.parent.parent.name == TRIALS else None
        if depth is not None and (path.parents[depth] / CONFIG).is_file():
            return path.parents[depth]
    return None
