"""`specsia push`."""

from __future__ import annotations

import shlex
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click

from specsia_build.cli.closing import conclude, load_lines
from specsia_build.cli.command import Command
from specsia_build.cli.output import json_option
from specsia_build.errors import plural
from specsia_build.terminal.board import amount
from specsia_build.terminal.layout import most

if TYPE_CHECKING:
    from specsia_build.dataset.hub.push import Operation, Plan, Pushed


@click.command(
    cls=Command,
    goes_on=True,
    examples=(
        "specsia push my-run/dataset --repo OWNER/NAME --dry-run",
        "specsia push my-run/dataset --repo OWNER/NAME",
    ),
)
@click.argument("folder", metavar="DATASET", type=click.Path(path_type=Path))
@click.option("--repo", required=True, metavar="OWNER/NAME", help="Dataset repository; created if it is not there.")
@click.option("--private/--public", default=True, help="Who sees a new repository; private unless told otherwise.")
@click.option("--prune", is_flag=True, help="Also replace and remove files there that no push made.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing; needs no token.")
@json_option
def push(folder: Path, repo: str, private: bool, prune: bool, dry_run: bool) -> None:
    """Push the packed dataset in DATASET, such as DIR/dataset or DIR/RECIPE, to the Hugging Face Hub, and check it.

    Of the files there, only those that an earlier push made are replaced or removed. The token is that of `hf auth
    login` or HF_TOKEN; HF_ENDPOINT names another Hub. An interrupted push goes on with the same command.
    """
    from specsia_build.dataset.card.licences import redistribution_problems
    from specsia_build.dataset.hub import push as hub
    from specsia_build.dataset.hub.local import read_local, version_tag
    from specsia_build.dataset.schema import BUILD_FILE, RECIPE_FILE
    from specsia_build.pipeline.progress import Progress
    from specsia_build.recipes.publish import licences_against, read_recipe
    from specsia_build.recipes.verify import mark_of

    hub.check_repo(repo)
    progress = Progress()
    of_recipe = mark_of(folder) is not None
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    with progress.bar("check", total, "B") as advance:
        files = read_recipe(folder, advance) if of_recipe else read_local(folder, advance)
    version = version_tag(folder, RECIPE_FILE if of_recipe else BUILD_FILE)
    if not private:
        hub.check_public(folder, licences_against if of_recipe else redistribution_problems)
    done = None
    try:
        with hub.connect(repo, look=dry_run) as api:
            plan = hub.plan_push(api, repo, files, version, public=not private, prune=prune, look=dry_run)
            if not dry_run:
                done = hub.push(api, plan, files)
    except hub.UnseenError as error:
        if not dry_run:
            raise
        plan = hub.plan_unseen(repo, files, version, not private, str(error))
    configs = sorted({Path(file.name).parts[1] for file in files if fnmatchcase(file.name, "data/*/*")})
    differences = {} if done is None else done.differences
    again = shlex.join(
        ["specsia", "push", str(folder), "--repo", repo, *["--public"] * (not private), *["--prune"] * prune]
    )
    made_of_rows = done is not None and done.ok and not of_recipe
    conclude(
        (done or plan).to_json(),
        _planned(plan) if done is None else _verdict(done),
        f"{folder} on the Hub" + (", as planned" if done is None else "" if done.ok else ", not whole"),
        {
            "to send" if done is None else "sent": [_changes(plan)],
            "up to date": [_files(plan.kept)] if plan.kept else [],
        },
        doubtful={
            "failed": most([f"{name} {problem}" for name, problem in differences.items()], f"{again} --json"),
            "note": plan.notes,
        },
        where={
            "page": [f"{plan.page} ({'private' if plan.private else 'public'})"],
            "version": [plan.tag] if done is not None and done.ok else [],
            "load": load_lines(Path(repo), configs or ["default"]) if made_of_rows else [],
        },
        follows=[f"specsia verify {repo}"] if made_of_rows else [] if done is not None and done.ok else [again],
        ok=not differences,
    )


def _changes(plan: Plan) -> str:
    """What a push sends and removes."""
    sent, deleted = len(plan.of("add", "replace")), len(plan.of("delete"))
    said = [f"{_files(sent)} of {amount(plan.size, 'B')}"] * bool(sent) + [f"{_files(deleted)} removed"] * bool(deleted)
    return ", ".join(said) or "nothing: all is up to date"


def _planned(plan: Plan) -> list[str]:
    lines = [_step(operation, plan) for operation in plan.operations]
    kept = f"; {_files(plan.kept)} there already" if plan.kept else ""
    counted = _files(len(plan.of("add", "replace")))
    lines.append(f"{plan.page}: {counted} of {amount(plan.size, 'B')} to send{kept}")
    return lines


def _step(operation: Operation, plan: Plan) -> str:
    if operation.kind == "create":
        return f"create   {operation.name} ({'private' if plan.private else 'public'})"
    size = f"  {amount(operation.size, 'B')}" if operation.kind != "tag" else ""
    return f"{operation.kind:<8} {operation.name}{size}"


def _verdict(done: Pushed) -> list[str]:
    plan = done.plan
    if not done.ok:
        lines = [f"{name} {problem}" for name, problem in done.differences.items()]
        lines.append(f"FAILED: {plan.page} is not the dataset at {done.commit[:12]}; it was not tagged")
        return lines
    sent = len(plan.of("add", "replace"))
    deleted = len(plan.of("delete"))
    did = (
        f"{_files(sent)} of {amount(plan.size, 'B')} pushed, {deleted} deleted"
        if sent or deleted
        else "nothing to push"
    )
    return [
        f"{plan.page} ({'private' if plan.private else 'public'}) is the dataset: {did}; "
        f"all {_files(done.files)} compared by checksum at {done.commit[:12]}, tagged {plan.tag}"
    ]


def _files(count: int) -> str:
    return plural(count, "file")
