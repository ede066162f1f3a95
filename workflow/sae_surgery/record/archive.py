"""Archives of results: all files of a run, and by what Snakemake knows them to be up to date.

Snakemake compares modification times, and keeps a record of each file that it has made: its inputs'
checksums, its parameters and its code. Archives preserve both, so that wherever one is unpacked the
workflow of the same commit has nothing to do.
"""

import gzip
import io
import sys
import tarfile
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path

from sae_surgery.machine.atomic import replacing, walk

RECORDS = Path(".snakemake/metadata")
COMPRESSION = 1
"""Of 9: what fills archives are mantissas of floating-point numbers, which hardly shrink."""


def pack(folder: Path, made: Iterable[Path], config: str, output: Path) -> None:
    """Write a `.tar.gz` of a run's files, with Snakemake's records of them.

    The same files with the same times give the same bytes. What links lead to is packed as the
    files that it is.

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
        If a folder cannot be read, or the archive cannot be written.
    """
    config_file = folder / "config.yaml"
    # What begins with a dot is being written, or was left by a writer that was killed.
    beside = (path for path in walk(folder) if path.name[0] != ".")
    files = {*made, *beside} - {config_file}
    records = [path for path, file in _records() if file in files]
    with (
        replacing(output) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as zipped,
        tarfile.open(
            fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT, dereference=True
        ) as archive,
    ):
        text = config.encode()
        described = tarfile.TarInfo(str(config_file))
        described.size = len(text)
        archive.addfile(described, io.BytesIO(text))
        for path in sorted(files) + sorted(records):
            archive.add(path, filter=_anonymous)


def _records() -> Iterator[tuple[Path, Path]]:
    """Yield Snakemake's records, each with the file that it is of.

    What else lies among them, such as NFS's names of files that were deleted while in use, is left
    out, with a line on standard error.
    """
    for path in walk(RECORDS):
        file = _recorded(path.relative_to(RECORDS))
        if file is None:
            print(f"{path}: left out, not a record of Snakemake's", file=sys.stderr)
        else:
            yield path, file


def _recorded(record: Path) -> Path | None:
    """Return the file that a record is of, which names it in base 64; None if it is of none.

    Names too long for the file system go on in folders that begin with an @.
    """
    name = "".join(part.removeprefix("@") for part in record.parts).encode()
    try:
        file = urlsafe_b64decode(name)
        # Decoding skips what is not base 64.
        return Path(file.decode()) if urlsafe_b64encode(file) == name else None
    except ValueError:
        return None


def _anonymous(described: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out whose file it is."""
    described.uid = described.gid = 0
    described.uname = described.gname = ""
    return described
