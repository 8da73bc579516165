"""CSV logs always, wandb by default; wandb never asks for an account and never waits for a network."""

import logging
import netrc
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlparse

from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from prompt_video.trials.journal import TrialResult

log = logging.getLogger(__name__)

WandbMode = Literal["auto", "online", "offline", "disabled"]


def make_loggers(folder: Path, name: str, mode: WandbMode) -> list[Logger]:
    """The loggers of a run.

    Args:
        folder: of the run.
        name: shown on the dashboard.
        mode: ``auto`` goes online where an account is known and its server answers, otherwise writes to the run folder
            for a later ``wandb sync``.
    """
    # A resumed run gets a log of its own: Lightning would delete the first one.
    used = len(list(folder.glob("logs*")))
    loggers: list[Logger] = [CSVLogger(folder, name="", version=f"logs_{used + 1}" if used else "logs")]
    if "disabled" in (mode, os.environ.get("WANDB_MODE")):
        return loggers
    reason = offline_reason(mode)
    folder.mkdir(parents=True, exist_ok=True)
    if reason is not None:
        log.info("wandb: offline (%s); logs are in %s, `wandb sync` uploads them", reason, folder / "wandb")
    # wandb prints a banner of its own, and asks questions, unless it is told not to.
    os.environ.setdefault("WANDB_SILENT", "true")
    wandb = WandbLogger(name=name, project="prompt-video", save_dir=folder, offline=reason is not None)
    wandb._wandb_init.pop("anonymous", None)  # a setting that Lightning always passes and wandb warns about
    loggers.append(wandb)
    return loggers


def log_trials(loggers: Sequence[Logger], results: Sequence[TrialResult], means: Mapping[str, float]) -> None:
    """The figures of all trials, and of each as one row of a table on the dashboard."""
    for logger in loggers:
        logger.log_metrics(dict(means))
        if isinstance(logger, WandbLogger):
            columns = ["trial", "name", "seed", *results[0].metrics]
            rows = [
                [result.trial, result.name, result.seed, *(result.metrics.get(key) for key in results[0].metrics)]
                for result in results
            ]
            logger.log_table("trials", columns=columns, data=rows)
        logger.finalize("success")


def close_loggers() -> None:
    """End the wandb run, so that the next one of this process does not go on in it."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and wandb.run is not None:
        wandb.finish()


def offline_reason(mode: WandbMode) -> str | None:
    """Why nothing is sent to wandb, or None where it is.

    Args:
        mode: as for `make_loggers`; what the environment asks for also counts.
    """
    if {mode, os.environ.get("WANDB_MODE")} & {"offline", "disabled"}:
        return "as asked"
    return why_offline() if mode == "auto" else None


def why_offline() -> str | None:
    """Why wandb cannot be used online, or None."""
    url = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai"))
    host = url.hostname or ""
    if not os.environ.get("WANDB_API_KEY"):
        try:
            known = netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
        except (OSError, netrc.NetrcParseError):
            known = False
        if not known:
            return "no account"
    try:
        socket.create_connection((host, url.port or (443 if url.scheme == "https" else 80)), timeout=3).close()
    except OSError:
        return f"{host} does not answer"
    return None
