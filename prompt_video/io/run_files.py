"""What the files of a run are called, for those who write them and those who look for them."""

CHECKPOINTS = "checkpoints"  # folder, in that of the run
LAST, BEFORE_LAST, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"
CONFIG = "config.yaml"  # the resolved settings
JOURNAL = "trials.jsonl"  # the finished trials of a protocol
NO_CHECKPOINT = "no checkpoint"  # what the results of a test name, where a model was tested as it is made
