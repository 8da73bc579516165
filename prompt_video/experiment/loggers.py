"""CSV logs always, wandb by default; wandb never asks for an account and never waits for a network."""

import base64
import http.client
import json
import logging
import netrc
import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlparse

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from prompt_video.compat import keep_from_wandb
from prompt_video.experiment.option_names import WandbMode
from prompt_video.trials.journal import TrialResult

log = logging.getLogger(__name__)

ANSWER_SEC = 5.0  # that wandb's server has to know a key
MOST_BYTES = 1 << 16  # of its answer
PATIENCE = {"init_timeout": 10.0, "finish_timeout": 30.0}  # seconds, of wandb itself; what is not sent by then is kept

_OFFLINE = "wandb: offline (%s); logs are in %s, `wandb sync` uploads them"


def make_loggers(folder: Path, name: str, mode: WandbMode) -> list[Logger]:
    """The loggers of a run.

    Args:
        folder: of the run.
        name: shown on the dashboard.
        mode: ``auto`` and ``online`` go online where an account is known and its server takes it, otherwise write to
            the run folder for a later ``wandb sync``.
    """
    # A resumed run gets a log of its own: Lightning would delete the first one.
    used = len(list(folder.glob("logs*")))
    loggers: list[Logger] = [CSVLogger(folder, name="", version=f"logs_{used + 1}" if used else "logs")]
    if "disabled" in (mode, os.environ.get("WANDB_MODE")):
        return loggers
    reason = offline_reason(mode)
    if reason is not None:
        log.info(_OFFLINE, reason, folder / "wandb")
    # wandb prints a banner of its own, and asks questions, unless it is told not to.
    os.environ.setdefault("WANDB_SILENT", "true")
    try:
        loggers.append(_Wandb(reason is not None, name=name, project="prompt-video", save_dir=folder))
    except Exception as error:  # settings of its own, in its files or the environment, that it does not take
        log.warning("wandb: left out (%s)", _first_line(error))
    return loggers


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


class _Wandb(WandbLogger):
    """Lightning's, which goes on offline where wandb cannot begin online."""

    def __init__(self, offline: bool, **options: Any) -> None:  # noqa: ANN401 - Lightning's
        import wandb

        patience = {name: value for name, value in PATIENCE.items() if name in wandb.Settings.model_fields}
        # Said outright, since Lightning leaves the mode of one offline run in the environment of the next.
        self.options = dict(options)
        options |= {"offline": offline, "mode": "offline" if offline else "online"}
        super().__init__(**options, settings=wandb.Settings(**cast(Any, patience)))
        keep_from_wandb(self, "anonymous")
        self.is_offline = offline
        self._instead: WandbLogger | None = None

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:  # noqa: ANN401 - wandb is untyped
        """The run, begun when it is first asked for."""
        if self._instead is not None:
            return self._instead.experiment
        try:
            return super().experiment
        except Exception as error:  # wandb has many, and none of them is a reason not to train
            if self.is_offline:
                raise
            log.warning(_OFFLINE, _first_line(error), Path(self.save_dir or ".") / "wandb")
            self._instead = _Wandb(True, **self.options)
            return self._instead.experiment


def log_trials(
    loggers: Sequence[Logger],
    results: Sequence[TrialResult],
    means: Mapping[str, float],
    losses: Sequence[tuple[int, float]] = (),
) -> None:
    """The figures of all trials, and of each as one row of a table on the dashboard.

    Args:
        loggers: of the run.
        results: of the trials.
        means: of the figures.
        losses: the mean loss at some steps.
    """
    for logger in loggers:
        for step, loss in losses:
            logger.log_metrics({"train/loss": loss}, step=step)
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
        try:
            wandb.finish()
        except Exception as error:  # as when it begins
            log.warning("wandb: %s", _first_line(error))
            with suppress(Exception):  # its own process is no more
                wandb.teardown()


def offline_reason(mode: WandbMode) -> str | None:
    """Why nothing is sent to wandb, or None where it is.

    Args:
        mode: as for `make_loggers`; what the environment asks for also counts.
    """
    if {mode, os.environ.get("WANDB_MODE")} & {"offline", "disabled"}:
        return "as asked"
    return why_offline()


def why_offline() -> str | None:
    """Why wandb cannot be used online, or None; known within seconds, whatever its server or the network does."""
    base = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai").rstrip("/")
    host = urlparse(base).hostname or base
    key = os.environ.get("WANDB_API_KEY")
    if not key:
        try:
            known = netrc.netrc(os.environ.get("NETRC")).authenticators(host)
        except (OSError, netrc.NetrcParseError):
            known = None
        if known is None:
            return "no account"
        key = known[2]
    found: list[str | None] = []
    # In a thread, since nothing else bounds the time in which a name is looked up, or an answer trickles in.
    asking = threading.Thread(target=lambda: found.append(_refusal(base, host, key)), daemon=True)
    asking.start()
    asking.join(ANSWER_SEC)
    return found[0] if found else f"{host} does not answer"


def _refusal(base: str, host: str, key: str) -> str | None:
    """What the server has against a key, or None."""
    account = base64.b64encode(f"api:{key}".encode()).decode()
    headers = {"Authorization": f"Basic {account}", "Content-Type": "application/json", "User-Agent": "prompt-video"}
    refused = f"{host} refuses the key: `wandb login --relogin` sets another"
    try:
        question = urllib.request.Request(f"{base}/graphql", b'{"query": "query Viewer { viewer { id } }"}', headers)
        with urllib.request.urlopen(question, timeout=ANSWER_SEC) as answer:
            content = json.loads(answer.read(MOST_BYTES))
    except urllib.error.HTTPError as error:
        return refused if error.code in (401, 403) else f"{host} answers {error.code}"
    except (OSError, ValueError, http.client.HTTPException):
        return f"{host} does not answer"
    data = content.get("data") if isinstance(content, dict) else None
    return None if isinstance(data, dict) and data.get("viewer") else refused
