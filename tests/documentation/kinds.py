"""How each kind of command in the documents is proven, and by which tests."""

from dataclasses import dataclass
from typing import Literal

SMALL = ("--model.backbone=tiny", "--trainer.accelerator=cpu", "--data.num_workers=0")


@dataclass(frozen=True)
class Kind:
    """How commands that match a pattern are proven.

    Args:
        pattern: of the whole command.
        proof: ``doctor`` runs it on a miniature, and ``large`` does so in the slow tests; ``run`` on small videos;
            ``settings`` reads all that it names, and runs it on made-up data in the slow tests; ``named`` reads all
            that it names, and runs of its kind are tests elsewhere; ``elsewhere`` does nothing, as the tests run it;
            ``mention`` is no command but its name; ``ci`` is in `.ci/run`.
        tests: that run it, as ``<file>::<function>``.
        options: to add to a command that is run.
        after: command that must be run before.
    """

    pattern: str
    proof: Literal["doctor", "large", "run", "settings", "named", "elsewhere", "mention", "ci"]
    tests: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    after: str = ""


_INDEX = "prompt-video index .*"
KINDS = (
    Kind(r"make (test|test-slow|demo)", "ci"),
    Kind(
        r"make train EXP=folder_closed METHOD=max_pooling.yaml .*|export PYTHONPATH=my/code",
        "elsewhere",
        ("tests/prompt_video/model/test_own_method.py::test_a_method_of_ones_own_trains_tests_and_labels",),
    ),
    Kind(
        r"prompt-video fit --config own.yaml",
        "elsewhere",
        ("tests/prompt_video/tasks/test_own_task.py::test_a_task_of_ones_own_trains_and_tests",),
    ),
    Kind(r"make demo( SEEDS=3)?( SIZE=full)?", "ci"),
    Kind(r"make bench ARGS=--quick", "run", options=("--only", "detections", "--out", "bench.json")),
    Kind(
        r"make bench( ARGS=\"--only families\")?",
        "elsewhere",
        ("tests/documentation/running/test_running.py::test_a_command_runs_on_small_videos",),
    ),
    Kind(
        r"make doctor EXP=jumps_closed",
        "elsewhere",
        ("tests/documentation/test_own_data_set.py::test_the_doctor_finds_it_by_its_name_in_a_checkout",),
    ),
    Kind(
        r"make doctor EXP=(ucf101|k[467]00|ssv2|activitynet13|msrvtt|didemo|smit|thumos14_open)\S*( ARGS=.*)?", "large"
    ),
    Kind(r"(DATA_ROOT=\S+ )?make doctor EXP=\S+( ARGS=.*)?", "doctor"),
    Kind(
        r"make (train|dry-run) EXP=\S+|prompt-video fit --config \S+",
        "named",
        (
            "tests/prompt_video/preflight/test_dry_run.py::test_every_experiment_runs_from_end_to_end_on_a_miniature",
            "tests/prompt_video/experiment/test_cli.py::test_every_method_runs_on_every_kind_of_protocol",
        ),
    ),
    Kind(r"make train EXP=\S+( METHOD=\S+)?( ARGS=.*)?", "settings"),
    Kind(r"make dashboard EXP=\S+", "settings"),
    Kind(
        r"make sweep EXP=\S+ SWEEP=\S+( SEEDS=3)?",
        "named",
        (
            "tests/prompt_video/experiment/tables/test_sweep.py::test_points_are_what_the_agent_of_wandb_would_run",
            "tests/prompt_video/experiment/tables/test_sweep.py::test_a_sweep_runs_each_point_once_and_goes_on_behind_one_that_fails",
        ),
    ),
    Kind(
        r"make table TABLE=\S+ ARGS=--dry-run",
        "named",
        (
            "tests/prompt_video/experiment/tables/test_table.py::test_every_row_of_the_paper_can_be_run",
            "tests/prompt_video/experiment/tables/test_table.py::test_a_table_that_was_killed_goes_on_to_the_same_figures",
        ),
    ),
    Kind(
        r"make table TABLE=\S+",
        "elsewhere",
        ("tests/prompt_video/experiment/tables/test_table.py::test_every_row_of_the_paper_can_be_run",),
    ),
    Kind(r"prompt-video fit --config \S+( --method \S+)?", "settings"),
    Kind(r"make evaluate CKPT=\S+", "run"),
    Kind(
        r"prompt-video watch \S+( .*)?",
        "elsewhere",
        ("tests/data_modules/video/test_live.py::test_a_stream_that_is_cut_comes_back",),
    ),
    Kind(
        r"prompt-video plan --config \S+.*",
        "elsewhere",
        ("tests/prompt_video/preflight/test_planning.py::test_the_command_says_hours_and_bytes",),
    ),
    Kind(
        r"prompt-video features --config \S+ --data.num_workers 12\s+--part \S+/8",
        "elsewhere",
        (
            "tests/prompt_video/experiment/test_resume.py::test_several_extractions_fill_one_store_and_compute_nothing_twice",
        ),
    ),
    Kind(
        r"prompt-video features --config \S+",
        "elsewhere",
        (
            "tests/prompt_video/experiment/test_which_data.py::test_two_projects_share_no_store_and_what_is_missing_stays_missing",
        ),
    ),
    Kind(
        r"torchrun .*\s-m prompt_video fit .*",
        "elsewhere",
        ("tests/prompt_video/experiment/test_two_processes.py::test_two_nodes_take_the_step_of_one",),
    ),
    Kind(
        r"prompt-video fit --config \S+ --trainer.devices 8 --trainer.strategy ddp",
        "elsewhere",
        ("tests/prompt_video/experiment/test_two_processes.py::test_two_processes_take_the_step_of_one",),
    ),
    Kind(
        r"#!/bin/bash|#SBATCH .*|srun prompt-video fit .*|\[ \$\? -eq 143 \] && scontrol .*",
        "elsewhere",
        (
            "tests/prompt_video/experiment/test_two_processes.py::test_two_nodes_take_the_step_of_one",
            "tests/prompt_video/experiment/test_two_processes.py::test_a_job_that_is_put_back_into_the_queue_goes_on",
        ),
    ),
    Kind(r"prompt-video serve", "elsewhere", ("tests/documentation/running/test_running.py::test_the_page_is_served",)),
    Kind(r"prompt-video import-official \S+ --out \S+", "run", options=("--backbone=tiny", "--num_heads=4")),
    Kind(r"prompt-video list( \w+)?", "run"),
    Kind(
        r"prompt-video export --ckpt \S+ --onnx \S+ --hub \S+",
        "elsewhere",
        ("tests/prompt_video/backbones/test_families_in_use.py::test_from_training_to_onnx",),
    ),
    Kind(r"prompt-video (label|segment|predict|copy) .*", "run"),
    Kind(
        r"prompt-video teach \S+( --\w+ \S+)*( --then label \S+( \S+)*)?",
        "elsewhere",
        ("tests/prompt_video/teaching/test_teach.py::test_a_few_clips_are_learned_labelled_and_corrected",),
    ),
    Kind(
        r"prompt-video calibrate \S+ --ckpt \S+",
        "elsewhere",
        ("tests/prompt_video/commands/test_none_of_these.py::test_a_calibrated_checkpoint_keeps_it",),
    ),
    Kind(r"prompt-video report runs( --out \S+)?", "run"),
    Kind(r"prompt-video completion \S+ > \S+", "run"),
    Kind(_INDEX, "run", options=SMALL[:3]),
    Kind(r"prompt-video search .*", "run", after=_INDEX),
    Kind(r"prompt-video (score-retrieval|score-detections) \S.*", "run"),
    Kind(r"prompt-video import-features \S.*", "run", options=("--backbone=tiny",)),
    Kind(r"(make|prompt-video) [a-z-]+", "mention"),
)
