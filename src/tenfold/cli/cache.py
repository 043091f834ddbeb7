"""`tenfold cache`: the packages that `npm:` addresses brought, which are kept so that they are fetched once."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from tenfold.cli.failures import reporting
from tenfold.cli.terminal import results, size, table
from tenfold.devices.host import cache_folder
from tenfold.models.io.npm import INTEGRITY_FILE

cache = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Show or clear the npm packages that are kept.",
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
    """Show the packages that are kept, and where.

    \b
    Example:
      tenfold cache show
    """
    packages = kept_packages()
    if as_json:
        typer.echo(json.dumps([asdict(package) for package in packages], indent=2))
        return
    console = results()
    if packages:
        rows = [(package.name, package.version, package.files, size(package.bytes)) for package in packages]
        console.print(table(["package", "version", "files", "size"], rows, right=["files", "size"]))
    total = size(sum(package.bytes for package in packages))
    console.print(f"{_count(packages)}, {total}, in {_folder()}")


def clear(
    packages: Annotated[
        list[str] | None,
        typer.Argument(metavar="PACKAGE", help="A name, or name@version; all packages if none is given."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove packages from the cache; they are fetched again when they are needed.

    \b
    Examples:
      tenfold cache clear
      tenfold cache clear @vladmandic/human --yes
    """
    kept = kept_packages()
    wanted = set(packages or ())
    chosen = [package for package in kept if not wanted or wanted & {package.name, package.spec}]
    unknown = wanted - {key for package in chosen for key in (package.name, package.spec)}
    if unknown:
        raise typer.BadParameter(f"not in the cache: {', '.join(sorted(unknown))}; `tenfold cache show` lists what is.")
    console = results()
    if not chosen:
        console.print(f"There is nothing to clear in {_folder()}")
        return
    total = size(sum(package.bytes for package in chosen))
    if not yes:
        console.print("\n".join(package.spec for package in chosen))
        typer.confirm(f"Remove {_count(chosen)}, {total}?", abort=True)
    for package in chosen:
        _remove(Path(package.folder))
    console.print(f"Removed {_count(chosen)}, {total}")


def kept_packages() -> list[Kept]:
    """The packages in the cache; folders that are none are left out."""
    packages = []
    for mark in sorted(_folder().glob(f"*/*/{INTEGRITY_FILE}")):
        folder = mark.parent
        if folder.name.startswith("."):
            continue
        files = [file for file in folder.rglob("*") if file.is_file() and file != mark]
        name = folder.parent.name.replace("+", "/")
        packages.append(Kept(name, folder.name, len(files), sum(f.stat().st_size for f in files), str(folder)))
    return packages


def _folder() -> Path:
    return cache_folder() / "npm"


def _remove(folder: Path) -> None:
    """Remove a package as a whole: it is renamed first, so that nobody finds half of it."""
    doomed = folder.with_name(f".removing-{uuid.uuid4().hex}")
    folder.rename(doomed)
    shutil.rmtree(doomed)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def _count(packages: Iterable[Kept]) -> str:
    number = len(list(packages))
    return f"{number} package{'s' * (number != 1)}"


cache.command()(reporting(show))
cache.command()(reporting(clear))
