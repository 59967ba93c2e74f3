"""Chromium without a window, driven over its debugging protocol."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import urllib.request

from websockets.asyncio.client import connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextlib.asynccontextmanager
async def browser(folder):
    """Start Chromium with its profile in ``folder``; yield a function that runs JavaScript and returns its result."""
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        # Else the addresses of this machine are names that only multicast DNS knows.
        "--disable-features=WebRtcHideLocalIpsWithMdns",
        "--allow-loopback-in-peer-connection",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        port_file = folder / "DevToolsActivePort"
        async with asyncio.timeout(60.0):
            while not port_file.exists() or "\n" not in port_file.read_text():
                await asyncio.sleep(0.1)
        port = int(port_file.read_text().split()[0])
        pages = json.loads(await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/json"))
        page = next(page for page in pages if page["type"] == "page")
        async with connect(page["webSocketDebuggerUrl"], max_size=1 << 24, proxy=None) as socket:

            async def evaluate(expression):
                command = {"expression": expression, "awaitPromise": True, "returnByValue": True}
                await socket.send(json.dumps({"id": 1, "method": "Runtime.evaluate", "params": command}))
                while (answer := json.loads(await socket.recv())).get("id") != 1:
                    pass
                if "exceptionDetails" in answer["result"]:
                    raise AssertionError(answer["result"]["exceptionDetails"])
                return answer["result"]["result"].get("value")

            yield evaluate
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _get(url):
    with urllib.request.urlopen(url, timeout=10.0) as answer:
        return answer.read()
