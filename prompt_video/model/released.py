"""What the released command trains with, which its checkpoints do not tell."""

NUM_PREFIX = NUM_SUFFIX = 16  # prompt vectors before and behind a name
NUM_HEADS = 8  # of a temporal block
