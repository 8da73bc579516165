"""The layout of the wandb workspace, as code."""
