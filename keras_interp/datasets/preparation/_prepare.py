"""Turns published archives into the folder that a reader reads."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from keras_interp.datasets._progress import announce, bytes_bar
from keras_interp.datasets._registry import load, prepared_folder
from keras_interp.datasets._safe_files import folder_lock, write_text_atomically
from keras_interp.datasets.preparation._archives import (
    Archive,
    RecordedChecksums,
    gather_archives,
)
from keras_interp.datasets.preparation._extraction import extract
from keras_interp.datasets.preparation._weights import WEIGHTS, prepare_weights
from keras_interp.datasets.preparation.entries import DatasetEntry, find_entry

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def work_folder(target: Path) -> Path:
    """The temporary name, in the same folder and so on the same file system."""
    return target.with_name(f".{target.name}.new")


def clean_up(target: Path) -> None:
    """Removes what a killed process left beside `target`, or completes its work.

    Only for the holder of the folder's lock.
    """
    old = _old_folder(target)
    if old.exists() and not target.exists():
        # Killed between the two renames of `replace_folder`.
        old.rename(target)
    for leftover in (old, work_folder(target)):
        if leftover.exists():
            shutil.rmtree(leftover)


def replace_folder(target: Path) -> None:
    """Gives the finished `work_folder(target)` the name `target`.

    Whenever the process is killed, `target` is the old folder or the whole new one. A
    file system that cannot exchange two names leaves a moment between two renames
    where the old folder has another name; `clean_up` then puts it back.

    Args:
        target: the name wanted; what has it now is removed afterwards.
    """
    new = work_folder(target)
    if not target.exists():
        new.rename(target)
        return
    if _exchange(new, target):
        shutil.rmtree(new)
        return
    old = _old_folder(target)
    target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old)


def _old_folder(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _exchange(first: Path, second: Path) -> bool:
    """Exchanges two names; false where system or file system cannot."""
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    failed = rename(
        _AT_FDCWD,
        os.fsencode(first),
        _AT_FDCWD,
        os.fsencode(second),
        ctypes.c_uint(_RENAME_EXCHANGE),
    )
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, f"cannot exchange {first} and {second}", str(second))


RECORD = "prepared.json"  # says of a folder that it was written here, and from what


def prepare(
    name: str,
    *,
    root: str | Path | None = None,
    archives: Sequence[str | Path] = (),
    out: str | Path | None = None,
) -> Path:
    """Downloads a dataset, checks it and extracts it to where `load` finds it.

    Archives that can be downloaded are; for those that a person has to download, the
    message says how. A broken download goes on where it ended. The prepared folder
    appears when it is complete: until then, and whenever something fails, it stays
    what it was. What an earlier call prepared is kept: sentences, say, can be added to
    images.

    Example:

    ```python
    ki.datasets.prepare("cub", archives=["Downloads/CUB_200_2011.tgz"])
    birds = ki.datasets.load("cub", split="test", size=128)
    ki.datasets.prepare("squeezenet")  # weights that `reproduce` starts from
    ```

    Args:
        name: a name of `catalogue()`, or `"squeezenet"` or `"mobilenet"` for the
            weights of these networks on ImageNet: SqueezeNet v1.0 from the compressed
            file of its authors, MobileNet v1 with a quarter of the width from Keras.
        root: a folder with the dataset already extracted. It stays where it is, and
            the prepared folder links to what is in it, so do not delete it.
        archives: archives that were downloaded by hand, under any name.
        out: the folder to write. Default: `$KERAS_INTERP_HOME/<name>`, or
            `~/.keras_interp/datasets/<name>`; for weights, `weights` in place of
            `<name>`.

    Returns:
        The prepared folder, or the file of the weights.

    Raises:
        ValueError: if the name is unknown, an archive is not the published one or not
            safe, or the files are not what the dataset's reader expects.
        FileNotFoundError: if a file or folder named is missing, or an archive has to
            be downloaded by hand; the message says how.
        BlockingIOError: if another process prepares the same folder.
        ConnectionError: if a download fails.
        OSError: if the disk is full.
    """
    if name in WEIGHTS:
        if root is not None:
            raise ValueError(
                f"Expected no root for the weights of {name}. Received: "
                f"root={str(root)!r}. Pass a downloaded file as an archive."
            )
        handed_over = [Path(archive).expanduser() for archive in archives]
        folder = None if out is None else Path(out)
        return prepare_weights(WEIGHTS[name], folder, handed_over)
    target = Path(out) if out is not None else prepared_folder(name)
    return prepare_entry(find_entry(name), target, root=root, archives=archives)


def prepare_entry(
    entry: DatasetEntry,
    target: Path,
    *,
    root: str | Path | None = None,
    archives: Sequence[str | Path] = (),
) -> Path:
    """Prepares a dataset of which the catalogue need not know; see `prepare`."""
    if entry.is_drawn:
        raise ValueError(
            f"{entry.name} is drawn by keras_interp and needs no files: call "
            f'keras_interp.datasets.load("{entry.name}") at once, or add --tfds to '
            "write files for tfds.load"
        )
    if root is not None and archives:
        raise ValueError("pass either an extracted folder (root) or archives, not both")
    handed_over = [Path(archive).expanduser() for archive in archives]
    folder = None if root is None else Path(root).expanduser().resolve()
    if folder is not None and folder.is_file():
        handed_over, folder = [folder], None
    if folder is not None and not folder.is_dir():
        raise FileNotFoundError(
            f"root={str(root)!r} is neither a folder nor an archive"
        )
    # A link in place of the folder is followed, so that the data stay on that disk.
    target = target.expanduser().resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    with folder_lock(target, f"preparing {entry.name}"):
        clean_up(target)
        _check_target(entry, target)
        if folder is not None:
            _prepare_folder(entry, target, folder)
        else:
            _prepare_archives(entry, target, handed_over)
    return target


def _check_target(entry: DatasetEntry, target: Path) -> None:
    """Refuses to replace a folder that was not written here."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not (target / RECORD).is_file():
        raise ValueError(
            f"{target} is there and was not prepared by keras_interp; nothing of it "
            "is touched. Choose another folder with --out, or move it away."
        )
    written = _read_record(target)["dataset"]
    if written != entry.name:
        raise ValueError(
            f"{target} holds {written!r}; choose another folder with --out"
        )


def _prepare_folder(entry: DatasetEntry, target: Path, root: Path) -> None:
    """Links to what is in an extracted folder."""
    if target == root or target in root.parents or root in target.parents:
        raise ValueError(
            f"the extracted folder {root} and the prepared folder {target} must not "
            "lie in one another"
        )
    _check_contents(entry, root)
    patterns = [pattern for file in entry.files for pattern in file.fills]
    is_piece = any(fnmatch(root.name, pattern) for pattern in patterns)
    contents = [root] if is_piece else sorted(root.iterdir())
    work = _new_work_folder(target)
    try:
        for path in contents:
            if path.name != RECORD:
                (work / path.name).symlink_to(path, path.is_dir())
        _keep_earlier_files(entry, target, work)
        _write_record(entry, work, {"linked_to": str(root)})
        _put_in_place(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    announce(f"{entry.name}: {target} links to the files in {root}, which must stay")


def _prepare_archives(
    entry: DatasetEntry, target: Path, handed_over: list[Path]
) -> None:
    recorded = RecordedChecksums(target)
    found = gather_archives(entry, target, handed_over, recorded)
    if not found:
        announce(f"{entry.name}: {target} is prepared already")
        return
    work = _new_work_folder(target)
    try:
        for archive in found:
            _extract(archive, work)
        _keep_earlier_files(entry, target, work)
        _check_contents(entry, work)
        files = {archive.file.filename: archive.sha256 for archive in found}
        _write_record(entry, work, {"sha256": _earlier_sums(target) | files})
        _put_in_place(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    for archive in found:
        archive.record(recorded)
        archive.discard_download()
    announce(f"{entry.name}: prepared in {target}")


def _new_work_folder(target: Path) -> Path:
    work = work_folder(target)
    work.mkdir()
    return work


def _extract(archive: Archive, work: Path) -> None:
    size = archive.path.stat().st_size
    with bytes_bar(f"Extracting {archive.path.name}", size) as advance:
        written = extract(archive.path, work, archive.file.place, advance)
    if not archive.file.is_in(work):
        raise ValueError(
            f"{archive.path} does not hold what {archive.file.filename} should "
            f"({archive.file.holds}): none of its members belongs to "
            f"{' and '.join(archive.file.fills)}"
        )
    announce(f"{written:,} files of {archive.file.filename}: {archive.file.holds}")


def _keep_earlier_files(entry: DatasetEntry, target: Path, work: Path) -> None:
    """Takes over what an earlier preparation wrote and this one has not."""
    for file in entry.files:
        if file.is_in(work) or not file.is_in(target):
            continue
        for pattern in file.fills:
            for path in target.glob(pattern):
                _link_tree(path, work / path.name)


def _link_tree(source: Path, target: Path) -> None:
    """A second name for every file: it takes no space, and neither can be half."""
    if source.is_symlink():
        target.symlink_to(os.readlink(source), source.is_dir())
    elif source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=_link_or_copy)
    else:
        _link_or_copy(source, target)


def _link_or_copy(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)


def _check_contents(entry: DatasetEntry, folder: Path) -> None:
    """Lets the dataset's reader read a small share of everything."""
    announce(f"Checking {folder} with the reader of {entry.name}")
    try:
        dataset = load(entry.name, folder, **entry.check_options)
    except (ValueError, FileNotFoundError) as error:
        raise ValueError(f"{folder} is not a whole {entry.name}: {error}") from error
    announce(f"A small share of it is read: {dataset!r}")


def _earlier_sums(target: Path) -> dict[str, str]:
    if not (target / RECORD).is_file():
        return {}
    return _read_record(target).get("sha256", {})


def _read_record(target: Path) -> dict[str, Any]:
    try:
        record = json.loads((target / RECORD).read_text(encoding="utf-8"))
        return {"dataset": record["dataset"], **record}
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{target / RECORD} is damaged ({error}); move the folder away and "
            "prepare the dataset again"
        ) from error


def _write_record(entry: DatasetEntry, work: Path, origin: dict) -> None:
    from keras_interp import __version__

    record = {"dataset": entry.name, "keras_interp": __version__, **origin}
    write_text_atomically(work / RECORD, json.dumps(record, indent=2) + "\n")


def _put_in_place(target: Path) -> None:
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()
    replace_folder(target)
