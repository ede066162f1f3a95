"""Archives of results: all files of a run, and by what Snakemake knows them to be up to date.

Snakemake compares modification times, and keeps a record of each file that it has made: its inputs'
checksums, its parameters and its code. Archives preserve both, so that wherever one is unpacked the
workflow of the same commit has nothing to do.
"""

import gzip
import io
import tarfile
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Iterator
from pathlib import Path

from sae_surgery.files import replacing

RECORDS = Path(".snakemake/metadata")
COMPRESSION = 1
"""Of 9: what fills archives are mantissas of floating-point numbers, which hardly shrink."""


def pack(folder: Path, made: Iterable[Path], config: str, output: Path) -> None:
    """Write a `.tar.gz` of a run's files, with Snakemake's records of them.

    The same files with the same times give the same bytes.

    Parameters
    ----------
    folder
        `results/<run>`, as Snakemake knows it: relative to the working directory.
    made
        Files that the run has made, wherever they lie; all else in the folder is packed, too.
    config
        Configuration of the run, which is added as `config.yaml`.
    output
        The archive.

    Raises
    ------
    SurgeryError
        If the archive cannot be written.
    """
    config_file = folder / "config.yaml"
    # What begins with a dot is being written, or was left by a writer that was killed.
    beside = (path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
    files = {*made, *beside} - {config_file}
    records = [path for path, file in _records() if file in files]
    with (
        replacing(output) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        text = config.encode()
        described = tarfile.TarInfo(str(config_file))
        described.size = len(text)
        archive.addfile(described, io.BytesIO(text))
        for path in sorted(files) + sorted(records):
            archive.add(path, filter=_anonymous)


def _records() -> Iterator[tuple[Path, Path]]:
    """Yield Snakemake's records, each with the file that it is of.

    A record is named after its file, in base 64; names too long for the file system go on in
    folders that begin with an @.
    """
    for path in RECORDS.rglob("*"):
        if path.is_file():
            parts = path.relative_to(RECORDS).parts
            name = "".join(part.removeprefix("@") for part in parts)
            yield path, Path(urlsafe_b64decode(name).decode())


def _anonymous(described: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out whose file it is."""
    described.uid = described.gid = 0
    described.uname = described.gname = ""
    return described
