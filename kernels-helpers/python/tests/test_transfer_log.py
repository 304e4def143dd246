"""The log of a running attempt, on its way into a real MinIO."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from objectstore import CuttingProxy, Minio
from podbench import wait_for

from labscale.transfer.folder import Folder
from labscale.transfer.live_log import LiveLog
from labscale.transfer.publication import put_log


def test_a_log_on_its_way_is_overtaken_by_none_that_came_later(minio: Minio, tmp_path: Path) -> None:
    proxy = CuttingProxy(minio.port)
    # Each 64 KiB take so long, which makes the log on its way slower than the one that follows it directly.
    proxy.delay = 0.05
    log = tmp_path / "0" / "1" / "log"
    log.parent.mkdir(parents=True)
    log.write_bytes(os.urandom(2 * 1024 * 1024))
    key = f"logs/{tmp_path.name}"
    with Folder.at(str(tmp_path)) as attempts, attempts.folder("0", "1") as attempt:
        live = LiveLog(minio.store(proxy.port), key, attempts, ("0", "1"))
        looking = threading.Thread(target=lambda: wait_for(lambda: live.look() or proxy.connections))
        looking.start()
        wait_for(lambda: proxy.connections)
        live.end()
        log.write_bytes(b"the whole of it")
        put_log(minio.store(), key, attempt)
        looking.join()
        live.look()
    assert minio.store().get(key) == b"the whole of it"
    proxy.close()
