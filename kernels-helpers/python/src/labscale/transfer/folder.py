"""Folders that a program may change at any moment: reached by descriptors, never through a link."""

from __future__ import annotations

import contextlib
import os
import stat

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NotAFile(OSError):
    """There is something else than a regular file."""


class Folder:
    """An open folder; what is named below it is reached step by step, and a link on the way is an error."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def at(cls, path: str) -> Folder:
        """By its path, which nobody else can change."""
        return cls(os.open(path, _FOLDER))

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def folder(self, *names: str, create: bool = False) -> Folder:
        """The folder below by the names on the way to it. Raises OSError."""
        fd = os.dup(self.fd)
        for name in names:
            _check(name)
            try:
                if create:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, dir_fd=fd)
                inner = os.open(name, _FOLDER, dir_fd=fd)
            finally:
                os.close(fd)
            fd = inner
        return Folder(fd)

    def open_file(self, *names: str) -> tuple[int, int]:
        """Descriptor and size of a regular file. Raises OSError, NotAFile for anything else."""
        with self.folder(*names[:-1]) as parent:
            _check(names[-1])
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            fd = os.open(names[-1], flags, dir_fd=parent.fd)
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(fd)
            raise NotAFile("not a regular file")
        return fd, found.st_size

    def create_file(self, name: str, mode: int = 0o644) -> int:
        """A descriptor of a new file, in the place of what had that name."""
        _check(name)
        self.remove(name)
        return os.open(
            name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=self.fd
        )

    def write(self, name: str, content: bytes) -> None:
        """Put a whole file in its place at once."""
        fd = self.create_file(f"{name}.new")
        try:
            write_all(fd, content)
        finally:
            os.close(fd)
        os.rename(f"{name}.new", name, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def names(self) -> list[str]:
        return os.listdir(self.fd)

    def remove(self, name: str) -> None:
        """A file or a folder with all that is in it; no error where there is none."""
        _check(name)
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            return
        except (IsADirectoryError, PermissionError):
            with contextlib.suppress(NotADirectoryError):
                self.empty(name)
            os.rmdir(name, dir_fd=self.fd)

    def empty(self, name: str) -> None:
        """Remove all that is in a folder below."""
        with self.folder(name) as inner:
            for entry in inner.names():
                inner.remove(entry)


def write_all(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def _check(name: str) -> None:
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise NotAFile(f"{name!r} cannot be the name of a file")
