"""Options that say which experiment, and how it runs: of all commands that read one."""

FILES = ("ckpt", "config", "run_folder", "runs")  # whose values are

EXPERIMENT_OPTIONS = frozenset(
    {
        "backbone",
        "ckpt",
        "ckpt_path",  # Lightning's name of it
        "config",
        "data",
        "features_only",
        "method",
        "model",
        "monitor",
        "name",
        "print_config",
        "quiet",
        "run_folder",
        "runs",
        "save_every_n_steps",
        "scale",
        "seed_everything",
        "test_after_fit",
        "trainer",
        "trials_at_a_time",
        "wandb",
        "weights_only",
    }
)
