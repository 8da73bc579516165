"""What the files of a run are called, for those who write them and those who look for them."""

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
