"""Bytecode that runs only in the place of the very text that it was made from.

Python takes bytecode to be current if the date of its source, in seconds, and the size are those of
the text that it was made from. An edit within the same second, or a file copied with its date, can
leave both as they were: the old code would run, and results would carry the digest of the new.
"""

import os
import sys
import zlib
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader


class _Loader(SourceFileLoader):
    """Python's loader, with a checksum in the place of the date."""

    def path_stats(self, path: str) -> dict[str, int]:
        text = self.get_data(path)
        return {"mtime": zlib.crc32(text), "size": len(text)}


def check_by_content(folder: str) -> None:
    """Let modules in a folder and below be loaded so from now on."""

    def finder(path: str) -> FileFinder:
        if not f"{path}{os.sep}".startswith(f"{folder}{os.sep}"):
            raise ImportError(f"{path} is not below {folder}")
        return FileFinder(path, (_Loader, SOURCE_SUFFIXES))

    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.pop(folder, None)
