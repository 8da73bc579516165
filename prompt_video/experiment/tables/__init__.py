"""Many runs of one experiment, each with other options, from the sweep files of wandb."""
