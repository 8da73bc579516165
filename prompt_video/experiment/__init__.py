"""Experiments: settings from YAML, the one LightningCLI, and the run folder around a run."""
