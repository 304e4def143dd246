"""Keeps one labscale server running for a project folder: adopts the one that runs, else starts one."""

from __future__ import annotations

import asyncio
import logging
import secrets
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from .connection import Connection, answers, is_labscale_server, read_connection
from .programs import (
    ServerUnavailable,
    data_folder,
    find_node,
    server_command,
    server_environment,
)

_HELD_BY_ANOTHER = 2
_START_SECONDS = 30
_STOP_SECONDS = 15
_LONGEST_DELAY_SECONDS = 30.0


class ServerProcess:
    """The labscale server of one project folder.

    Nothing happens before `start` or the first `connection`. A server that dies is started again; one that this object
    started is stopped by `stop`, one that it adopted is left alone.
    """

    def __init__(self, project: Path, log: logging.Logger, node: str = "") -> None:
        self.project = project
        self.data = data_folder(project)
        self.connection_file = self.data / "server.json"
        self._log = log
        self._node = node
        self._keeper: asyncio.Task[None] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._settled = asyncio.Event()
        self._suspect = asyncio.Event()
        self._connection: Connection | None = None
        self._problem = ServerUnavailable("The labscale server is starting.", "Try again in a few seconds.")

    def start(self) -> None:
        """Begin to adopt or start a server; returns at once."""
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def connection(self) -> Connection:
        """Give the server to speak with. Raises ServerUnavailable where there is none."""
        self.start()
        await _wait(self._settled, _START_SECONDS)
        if self._connection is None:
            raise self._problem
        return self._connection

    def suspect(self, connection: Connection) -> None:
        """Say that a connection does not work: it is looked at anew before it is given out again."""
        if self._connection == connection:
            self._connection = None
            self._settled.clear()
            self._suspect.set()

    async def stop(self) -> None:
        """Stop what was started here: by SIGTERM, and after a time by SIGKILL."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        child, self._child = self._child, None
        if child is None or child.poll() is not None:
            return
        child.terminate()
        for _ in range(_STOP_SECONDS * 20):
            if child.poll() is not None:
                return
            await asyncio.sleep(0.05)
        child.kill()
        child.wait()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        delay = 0.0
        while True:
            begun = loop.time()
            try:
                connection = await self._adopt() or await self._launch()
            except (ServerUnavailable, OSError, subprocess.SubprocessError) as error:
                problem = error if isinstance(error, ServerUnavailable) else _unexpected(error)
                if str(problem) != str(self._problem):
                    self._log.error("labscale: %s %s", problem, problem.mend)
                self._settle(None, problem)
            else:
                self._settle(connection, None)
                await self._until_gone(connection)
                self._log.warning(
                    "labscale: the server with pid %d has gone; looking for another",
                    connection.pid,
                )
                self._settled.clear()
                self._connection = None
                if loop.time() - begun > 60:
                    delay = 0.0
            await asyncio.sleep(delay)
            delay = min(max(0.5, delay * 2), _LONGEST_DELAY_SECONDS)
            self._suspect.clear()

    def _settle(self, connection: Connection | None, problem: ServerUnavailable | None) -> None:
        self._connection = connection
        self._problem = problem or ServerUnavailable(
            "The labscale server has gone.", "Try again in a few seconds."
        )
        self._settled.set()

    async def _adopt(self) -> Connection | None:
        connection = read_connection(self.connection_file)
        if connection is None or not is_labscale_server(connection.pid) or not await answers(connection):
            return None
        if self._child is None or self._child.pid != connection.pid:
            self._log.info(
                "labscale: using the server that runs for %s (pid %d)",
                self.project,
                connection.pid,
            )
        return connection

    async def _launch(self) -> Connection:
        if self._child is not None and self._child.poll() is None:
            raise ServerUnavailable(
                f"The labscale server (pid {self._child.pid}) runs but does not answer.",
                "Wait a little, or restart JupyterLab.",
            )
        loop = asyncio.get_running_loop()
        node = await loop.run_in_executor(None, find_node, self._node)
        # To a nameless file and not to a pipe: a server that outlives a killed Jupyter would die of the broken pipe.
        with tempfile.TemporaryFile() as output:
            child = self._child = self._spawn(node, output)
            for _ in range(_START_SECONDS * 20):
                code = child.poll()
                if code == _HELD_BY_ANOTHER:
                    return await self._wait_for_other(output)
                if code is not None:
                    raise ServerUnavailable(_why(output, code), f"The log is {self.data / 'server.log'}.")
                connection = read_connection(self.connection_file)
                if connection is not None and connection.pid == child.pid:
                    self._log.info("labscale: started the server for %s (pid %d)", self.project, child.pid)
                    return connection
                await asyncio.sleep(0.05)
            child.kill()
            child.wait()
        raise ServerUnavailable(
            f"The labscale server did not listen within {_START_SECONDS} s.",
            f"The log is {self.data / 'server.log'}.",
        )

    def _spawn(self, node: str, output: IO[bytes]) -> subprocess.Popen[bytes]:
        environment = server_environment(self.project)
        environment["LABSCALE_TOKEN"] = secrets.token_urlsafe(32)
        return subprocess.Popen(
            server_command(node),
            env=environment,
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A session of its own: Ctrl-C in Jupyter's terminal must not reach it, Jupyter stops it in good order.
            start_new_session=True,
        )

    async def _wait_for_other(self, output: IO[bytes]) -> Connection:
        # The other one holds the folder from its first moment and writes its connection file when it listens.
        for _ in range(50):
            connection = await self._adopt()
            if connection is not None:
                return connection
            await asyncio.sleep(0.2)
        raise ServerUnavailable(
            _why(output, _HELD_BY_ANOTHER),
            "Stop the other labscale server of this folder, or wait until it has ended.",
        )

    async def _until_gone(self, connection: Connection) -> None:
        """Return when the process has ended, or is suspected and does not answer."""
        child = self._child if self._child is not None and self._child.pid == connection.pid else None
        while True:
            gone = child.poll() is not None if child else not is_labscale_server(connection.pid)
            if gone:
                return
            if self._suspect.is_set():
                self._suspect.clear()
                if not await answers(connection):
                    return
                self._settle(connection, None)
            await _wait(self._suspect, 1)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, at most for a time."""
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait({waiting}, timeout=seconds)
    waiting.cancel()


def _why(output: IO[bytes], code: int) -> str:
    output.seek(0)
    lines = output.read().decode(errors="replace").strip().splitlines()
    # A program names itself in a terminal; here the title above says who speaks.
    said = lines[-1].removeprefix("labscale: ") if lines else ""
    return said[:1_000] or f"The labscale server ended with code {code}."


def _unexpected(error: Exception) -> ServerUnavailable:
    return ServerUnavailable(
        f"The labscale server could not be started: {error}",
        "Look at the log of Jupyter.",
    )
