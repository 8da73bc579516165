"""``prompt-video dashboard``: lay out an experiment's wandb workspace; without an account, write how it would look."""

from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.json_files import write_json
from prompt_video.experiment.verb import ExperimentVerbParser
from prompt_video.io import console
from prompt_video.io.readable import readable


def main(arguments: list[str]) -> None:
    """Save a workspace, or write its specification."""
    options, rest = parser().parse_beside(arguments[1:])

    from prompt_video.experiment.dashboard_shape import shape_of
    from prompt_video.experiment.loggers import offline_reason
    from prompt_video.experiment.settings import read_settings
    from prompt_video.reports.dashboard.layout import layout
    from prompt_video.reports.dashboard.workspace import make_workspace, specification

    console.configure()
    settings = read_settings(rest)
    task = settings.task()
    sections = layout(type(task), shape_of(settings, task))
    reason = offline_reason(settings.settings["wandb"])
    if reason is None and options.out is None:
        entity: str = options.entity or _own_entity()
        workspace = make_workspace(sections, settings.name, entity, options.project)
        try:
            workspace.save()
        except Exception as error:  # whatever its network library raises
            raise InputError(
                f"wandb did not save the workspace in {entity}/{options.project}: {error} With --out the layout is "
                "written to a file."
            ) from error
        print(f"dashboard: {workspace.url}")
        return
    path: Path = options.out or settings.runs / "dashboards" / f"{settings.name}.json"
    content = specification(make_workspace(sections, settings.name, options.entity or "", options.project))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)
    print(readable(f"wandb: {reason or 'nothing saved, as asked'}; the dashboard's specification is in {path}"))


def _own_entity() -> str:
    import wandb

    try:
        entity: str | None = wandb.Api().default_entity
    except Exception as error:  # as above
        raise InputError(f"wandb does not know the account: {error} Log in again with `wandb login`.") from error
    if not entity:
        raise InputError("the account of wandb has no entity of its own; name one with --entity.")
    return entity


def parser() -> ExperimentVerbParser:
    """The options."""
    parser = ExperimentVerbParser(
        "dashboard",
        __doc__,
        epilog="All else is as for `prompt-video fit`, whose options may stand here. Each call saves a new view of the "
        "project; runs that are there already are shown in it.",
    )
    parser.add_argument("--entity", type=str, help="user or team of wandb (default: the account's own)")
    parser.add_argument("--project", type=str, default="prompt-video", help="of wandb")
    parser.add_argument("--out", type=Path, help="JSON file to write (default: runs/dashboards/<experiment>.json)")
    return parser
