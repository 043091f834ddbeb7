"""`tenfold cache`: what is kept on disk. Packages that `npm:` addresses brought are fetched once, modules of the wasm
backend are compiled once.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from tenfold.cli.failures import reporting
from tenfold.cli.terminal import results, size, table
from tenfold.devices.host import cache_folder
from tenfold.devices.wasm.module_cache import FOLDER_NAME, CompiledFile, compiled_files, refusal
from tenfold.models.io.npm import INTEGRITY_FILE

cache = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Show or clear the npm packages and compiled modules that are kept.",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A package in the cache."""

    name: str
    version: str
    files: int
    bytes: int
    folder: str

    @property
    def spec(self) -> str:
        """Name and version as npm writes them."""
        return f"{self.name}@{self.version}"


def show(as_json: Annotated[bool, typer.Option("--json", help="Write it as JSON.")] = False) -> None:
    """Show what is kept, and where.

    \b
    Example:
      tenfold cache show
    """
    packages, modules = kept_packages(), compiled_files(_modules_folder())
    refused = refusal(_modules_folder())
    if as_json:
        compiled = {
            "files": len(modules),
            "bytes": sum(module.bytes for module in modules),
            "folder": str(_modules_folder()),
            "refused": refused,
        }
        document = {"packages": [asdict(package) for package in packages], "compiled": compiled}
        typer.echo(json.dumps(document, indent=2))
        return
    console = results()
    if packages:
        rows = [(package.name, package.version, package.files, size(package.bytes)) for package in packages]
        console.print(table(["package", "version", "files", "size"], rows, right=["files", "size"]))
    console.print(f"{_summary(packages, 'package')}, in {_packages_folder()}")
    console.print(f"{_summary(modules, 'compiled module')}, in {_modules_folder()}")
    if refused:
        console.print(f"No modules are kept there now: {refused}.")


def clear(
    packages: Annotated[
        list[str] | None,
        typer.Argument(metavar="PACKAGE", help="A name, or name@version; everything if none is given."),
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compiled", help="Compiled modules, and no packages but those named.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove what is kept; it is fetched and compiled again when it is needed.

    \b
    Examples:
      tenfold cache clear
      tenfold cache clear @vladmandic/human --yes
      tenfold cache clear --compiled
    """
    everything = not packages and not compiled
    chosen = kept_packages() if everything else _named(packages or [])
    modules = compiled_files(_modules_folder()) if everything or compiled else []
    console = results()
    if not chosen and not modules:
        console.print(f"There is nothing to clear in {cache_folder()}")
        return
    parts = [_summary(chosen, "package")] * bool(chosen) + [_summary(modules, "compiled module")] * bool(modules)
    what = " and ".join(parts)
    if not yes:
        if chosen:
            console.print("\n".join(package.spec for package in chosen))
        typer.confirm(f"Remove {what}?", abort=True)
    for package in chosen:
        _remove(Path(package.folder))
    for module in modules:
        module.path.unlink(missing_ok=True)
    console.print(f"Removed {what}")


def _named(names: Sequence[str]) -> list[Kept]:
    """The packages of these names, or names and versions."""
    chosen = [package for package in kept_packages() if {package.name, package.spec} & set(names)]
    unknown = set(names) - {key for package in chosen for key in (package.name, package.spec)}
    if unknown:
        raise typer.BadParameter(f"not in the cache: {', '.join(sorted(unknown))}; `tenfold cache show` lists what is.")
    return chosen


def kept_packages() -> list[Kept]:
    """The packages in the cache; folders that are none are left out."""
    packages = []
    for mark in sorted(_packages_folder().glob(f"*/*/{INTEGRITY_FILE}")):
        folder = mark.parent
        if folder.name.startswith("."):
            continue
        files = [file for file in folder.rglob("*") if file.is_file() and file != mark]
        name = folder.parent.name.replace("+", "/")
        packages.append(Kept(name, folder.name, len(files), sum(f.stat().st_size for f in files), str(folder)))
    return packages


def _packages_folder() -> Path:
    return cache_folder() / "npm"


def _modules_folder() -> Path:
    return cache_folder() / FOLDER_NAME


def _remove(folder: Path) -> None:
    """Remove a package as a whole: it is renamed first, so that nobody finds half of it."""
    doomed = folder.with_name(f".removing-{uuid.uuid4().hex}")
    folder.rename(doomed)
    shutil.rmtree(doomed)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def _summary(kept: Sequence[Kept | CompiledFile], noun: str) -> str:
    """How many, and how large."""
    return f"{len(kept)} {noun}{'s' * (len(kept) != 1)}, {size(sum(one.bytes for one in kept))}"


cache.command()(reporting(show))
cache.command()(reporting(clear))
