"""A headless Chromium that tests steer through Selenium: it opens a file, answers expressions, and
keeps what the page asked for and complained about. It is Debian's, or whatever answers to one of
the names."""

import base64
import json
import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"
PATIENCE_S = 60  # for a page or an answer, arbitrary
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-extensions", "--hide-scrollbars", "--mute-audio"),
)


def find():
    """The path of a Chromium that can be steered, or None."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found if shutil.which(DRIVER) and find_spec("selenium") else None


class Browser:
    """One running Chromium with one page. To be used as a context."""

    def __enter__(self):
        from selenium import webdriver

        self.home = tempfile.TemporaryDirectory(prefix="spanbench-browser-")
        options = webdriver.ChromeOptions()
        options.binary_location = find()
        for flag in (*FLAGS, f"--user-data-dir={self.home.name}/profile"):
            options.add_argument(flag)
        logs = {"browser": "ALL", "performance": "ALL"}
        options.set_capability("goog:loggingPrefs", logs)
        private = {**os.environ, "HOME": self.home.name, "TMPDIR": self.home.name}
        service = webdriver.chrome.service.Service(shutil.which(DRIVER), env=private)
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_page_load_timeout(PATIENCE_S)
        self.driver.set_script_timeout(PATIENCE_S)
        return self

    def __exit__(self, *_):
        self.driver.quit()
        shutil.rmtree(self.home.name, ignore_errors=True)  # its children may still write
        self.home.cleanup()

    def open(self, path, width=1400, height=900):
        """Loads a file in a window of some width and waits until it is there."""
        self.resize(width, height)
        self.asked(), self.complaints()
        self.driver.get(Path(path).resolve().as_uri())

    def asked(self):
        """The addresses that were asked for since the page was opened, or since this was called."""
        logged = (json.loads(e["message"])["message"] for e in self.driver.get_log("performance"))
        return [
            event["params"]["request"]["url"]
            for event in logged
            if event["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self):
        """[(where from, text)] of what stands in the console, likewise: what the script said
        ("console-api"), its exceptions ("javascript"), and what could not be loaded ("network")."""
        return [(entry["source"], entry["message"]) for entry in self.driver.get_log("browser")]

    def resize(self, width, height=900):
        """Sets the size of the window; a narrow one is a phone's."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def media(self, kind="", scheme="light"):
        """Sets the medium ("print" or "") and what colours the reader prefers."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        media = {"media": kind, "features": features}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def ask(self, expression):
        """The value of an expression in the page, or of what it promises."""
        return self.driver.execute_script(f"return ({expression})")

    def move(self, x, y):
        """Moves the pointer."""
        moved = {"type": "mouseMoved", "x": x, "y": y}
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", moved)

    def press(self, key):
        """Presses and releases a key ("Tab", "Enter")."""
        from selenium.webdriver import ActionChains, Keys

        ActionChains(self.driver).send_keys(getattr(Keys, key.upper())).perform()

    def pdf(self, path):
        """Prints the page into a file."""
        data = self.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
        Path(path).write_bytes(base64.b64decode(data))
