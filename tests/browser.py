"""A headless Chromium that tests steer through its DevTools pipe: it opens a file, answers
expressions, and keeps what the page asked for and complained about. It is Debian's, or whatever
answers to one of the names."""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
from itertools import count
from pathlib import Path

NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
PATIENCE_S = 60  # of silence, arbitrary; a start takes one second, on a busy machine ten
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-extensions", "--hide-scrollbars", "--mute-audio"),
    *("--remote-debugging-pipe", "about:blank"),
)


def find():
    """The path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One running Chromium with one page. To be used as a context."""

    def __init__(self):
        self.profile = tempfile.TemporaryDirectory(prefix="spanbench-browser-")
        self.numbers, self.events, self.unread = count(1), [], bytearray()
        to_browser, self.to = os.pipe()
        self.back, from_browser = os.pipe()
        command = [find(), f"--user-data-dir={self.profile.name}", *FLAGS]
        # The protocol's descriptors are 3 and 4; the shell sees to that.
        shell = f'exec "$@" 3<&{to_browser} 4>&{from_browser} 2>/dev/null'
        self.process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *command],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "HOME": self.profile.name, "TMPDIR": self.profile.name},
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        self.session = None

    def __enter__(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        self.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.back)
        shutil.rmtree(self.profile.name, ignore_errors=True)  # its children may still write
        self.profile.cleanup()

    def kill(self):
        """Ends the browser and its children."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def call(self, method, **parameters):
        """What the browser answers to a command; events on the way are kept."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer)
                return answer["result"]
            self.events.append(answer)

    def read(self):
        """The next message; there must be one before patience ends."""
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.back], [], [], PATIENCE_S)
            assert ready, f"the browser said nothing for {PATIENCE_S} s"
            more = os.read(self.back, 1 << 16)
            assert more, "the browser has ended"
            self.unread += more
        text, _, self.unread = self.unread.partition(b"\0")
        return json.loads(text)

    def open(self, path, width=1400, height=900):
        """Loads a file in a window of some width and waits until it is there."""
        self.resize(width, height)
        self.events.clear()
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        while not self.seen("Page.loadEventFired"):
            self.events.append(self.read())

    def resize(self, width, height=900):
        """Sets the size of the window; a narrow one is a phone's."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def media(self, kind="", scheme="light"):
        """Sets the medium ("print" or "") and what colours the reader prefers."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=kind, features=features)

    def ask(self, expression):
        """The value of an expression in the page."""
        options = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        answer = self.call("Runtime.evaluate", **options)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def seen(self, method):
        """The parameters of all events of a kind since the page was opened."""
        return [event["params"] for event in self.events if event.get("method") == method]

    def move(self, x, y):
        """Moves the pointer."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key):
        """Presses and releases a key ("Tab", "Enter")."""
        codes = {"Tab": 9, "Enter": 13}
        text = {"text": "\r"} if key == "Enter" else {}
        names = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        self.call("Input.dispatchKeyEvent", type="keyDown", **names, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **names)

    def screenshot(self, path, clip=None):
        """Writes a PNG of the window, or of (x, y, width, height) of the page."""
        options = {"format": "png"}
        if clip:
            place = dict(zip(("x", "y", "width", "height"), clip))
            options.update(clip={**place, "scale": 1}, captureBeyondViewport=True)
        data = self.call("Page.captureScreenshot", **options)["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def pdf(self, path):
        """Prints the page into a file."""
        data = self.call("Page.printToPDF", printBackground=True)["data"]
        Path(path).write_bytes(base64.b64decode(data))
