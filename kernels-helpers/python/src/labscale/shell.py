"""IPython's shell without a kernel: outputs of cells go to the executed notebook and the log."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import sys
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from labscale.ansi import without_ansi
from labscale.failure import readable_bytes

STREAM_BYTES = 1024 * 1024
CELL_BYTES = 16 * 1024 * 1024

Output = dict[str, Any]


class CellOutputs:
    """Outputs of the running cell, capped, so that no cell can fill the memory or the executed notebook."""

    def __init__(self) -> None:
        self.items: list[Output] = []
        self._displays: dict[str, list[Output]] = {}
        self._clear_before_next = False
        self._stream_bytes = {"stdout": 0, "stderr": 0}
        self._bytes = 0

    def begin_cell(self) -> None:
        self.items = []
        self._clear_before_next = False
        self._stream_bytes = {"stdout": 0, "stderr": 0}
        self._bytes = 0

    def finish_cell(self) -> list[Output]:
        for name, size in self._stream_bytes.items():
            if size > STREAM_BYTES:
                left_out = readable_bytes(size - STREAM_BYTES)
                self.items.append(
                    {
                        "output_type": "stream",
                        "name": name,
                        "text": f"\n[labscale: {left_out} of {name} left out; see the log]\n",
                    }
                )
        for item in self.items:
            if item["output_type"] == "stream" and isinstance(item["text"], list):
                item["text"] = "".join(item["text"])
        return self.items

    def stream(self, name: str, text: str) -> None:
        before = self._stream_bytes[name]
        self._stream_bytes[name] = before + len(text)
        if before >= STREAM_BYTES:
            return
        text = text[: STREAM_BYTES - before]
        self._clear_if_asked()
        last = self.items[-1] if self.items else None
        if last is not None and last["output_type"] == "stream" and last["name"] == name:
            last["text"].append(text)
        else:
            self.items.append({"output_type": "stream", "name": name, "text": [text]})

    def add(self, output: Output, display_id: str | None = None) -> None:
        self._clear_if_asked()
        size = len(json.dumps(output, ensure_ascii=False))
        if self._bytes + size > CELL_BYTES:
            output = {
                "output_type": "display_data",
                "metadata": {},
                "data": {"text/plain": f"[labscale: an output of {readable_bytes(size)} is left out here]"},
            }
        else:
            self._bytes += size
        self.items.append(output)
        if display_id is not None:
            self._displays.setdefault(display_id, []).append(output)

    def update(self, display_id: str, data: dict, metadata: dict) -> None:
        for output in self._displays.get(display_id, []):
            output["data"], output["metadata"] = data, metadata

    def clear(self, wait: bool) -> None:
        if wait:
            self._clear_before_next = True
        else:
            self.items.clear()

    def _clear_if_asked(self) -> None:
        if self._clear_before_next:
            self._clear_before_next = False
            self.items.clear()


class Stream(io.TextIOBase):
    """Standard output or error of the program: each write goes to the log at once, no crash loses it."""

    def __init__(self, name: str, fd: int, outputs: CellOutputs) -> None:
        self._name = name
        self._fd = fd
        self._outputs = outputs
        self.buffer = io.FileIO(fd, "w", closefd=False)

    encoding = "utf-8"
    errors = "replace"

    @property
    def name(self) -> str:
        return f"<{self._name}>"

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text:
            data = text.encode("utf-8", "replace")
            # With a surrogate in it, text is neither UTF-8 for the log nor JSON for the notebook.
            self._outputs.stream(self._name, text if text.isascii() else data.decode())
            _write_all(self._fd, data)
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._fd


def _write_all(fd: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):
        while data:
            data = data[os.write(fd, data) :]


class _Hook(DisplayHook):
    _result: Output

    def start_displayhook(self) -> None:
        self._is_active = True
        self._result = {
            "output_type": "execute_result",
            "execution_count": self.prompt_count,
            "data": {},
            "metadata": {},
        }

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict, md_dict=None) -> None:
        self._result["data"] = json_data(format_dict)
        self._result["metadata"] = json_metadata(md_dict)

    def finish_displayhook(self) -> None:
        if self._result["data"]:
            self.shell.cell_outputs.add(self._result)
        self._is_active = False

    def log_output(self, format_dict) -> None:
        pass


class _Publisher(DisplayPublisher):
    def publish(self, data, metadata=None, *args, transient=None, update=False, **kwargs) -> None:
        display_id = (transient or {}).get("display_id")
        outputs = self.shell.cell_outputs
        if update:
            if display_id is not None:
                outputs.update(display_id, json_data(data), json_metadata(metadata))
            return
        output = {"output_type": "display_data", "data": json_data(data), "metadata": json_metadata(metadata)}
        outputs.add(output, display_id)

    def clear_output(self, wait: bool = False) -> None:
        self.shell.cell_outputs.clear(wait)


class ShardShell(InteractiveShell):
    """A shell whose state a fork makes new for each shard."""

    displayhook_class = _Hook
    display_pub_class = _Publisher
    cell_outputs: CellOutputs

    def __init__(self, **kwargs) -> None:
        self.cell_outputs = CellOutputs()
        self.error_lines: list[str] = []
        super().__init__(**kwargs)

    @contextlib.contextmanager
    def _tee(self, channel):
        # IPython 9 keeps all that a cell prints in memory for the sake of a history that nobody reads here.
        yield

    def enable_gui(self, gui=None) -> None:
        """`%matplotlib inline` asks for this; there is no event loop to enable."""

    def ask_exit(self) -> None:
        raise SystemExit(0)

    def init_sys_modules(self) -> None:
        # The worker's own __main__ must stay what it is until a fork becomes a notebook.
        pass

    def become_main(self) -> None:
        sys.modules["__main__"] = self.user_module

    def _showtraceback(self, etype, evalue, stb) -> None:
        self.error_lines = list(stb)
        text = self.InteractiveTB.stb2text(stb)
        self.cell_outputs.add(
            {
                "output_type": "error",
                "ename": str(getattr(etype, "__name__", etype)),
                "evalue": _clean(str(evalue)),
                "traceback": [_clean(line) for line in self.error_lines],
            }
        )
        sys.stderr.flush()
        _write_all(2, (without_ansi(text) + "\n").encode("utf-8", "replace"))


def make_shell(ipython_folder: str) -> ShardShell:
    """The shell of this process, without history, profile or terminal colours of its own."""
    os.makedirs(ipython_folder, exist_ok=True)
    os.environ["IPYTHONDIR"] = ipython_folder
    # What ipykernel sets, so that figures become pictures of the notebook.
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    return ShardShell.instance(config=config)


def json_data(data: dict | None) -> dict:
    """A MIME bundle as notebook files hold it: bytes as base64, text as UTF-8, what is not JSON left out."""
    out: dict[str, Any] = {}
    for mime, value in (data or {}).items():
        if isinstance(value, bytes):
            out[mime] = base64.b64encode(value).decode("ascii")
        elif isinstance(value, str):
            out[mime] = _clean(value)
        else:
            with contextlib.suppress(TypeError, ValueError):
                out[mime] = json.loads(json.dumps(value, allow_nan=False))
    return out


def json_metadata(metadata: dict | None) -> dict:
    with contextlib.suppress(TypeError, ValueError):
        return json.loads(json.dumps(metadata or {}, allow_nan=False))
    return {}


def _clean(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
