"""A browser without a window, and what it saw of a page."""

import os
import shutil
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--font-render-hinting=none",
)  # fmt: skip
SERIOUS = {"serious", "critical"}

FOCUS = """() => {
    const at = document.activeElement, box = at.getBoundingClientRect(), style = getComputedStyle(at);
    const all = [...document.querySelectorAll('*')];
    return {place: all.indexOf(at), tag: at.tagName, href: at.getAttribute('href'), outline: style.outlineStyle,
            width: parseFloat(style.outlineWidth), inside: box.bottom > 0 && box.top < innerHeight && box.right > 0};
}"""
STOPS = """() => {
    const all = [...document.querySelectorAll('*')];
    const stops = all.filter(e => e.matches('a[href], summary, [tabindex="0"]') && e.checkVisibility());
    return stops.map(e => all.indexOf(e));
}"""


def chromium():
    """Give the path of Chromium; without one the test is skipped, and fails where CI is set."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("CI needs Chromium for the tests of the pages (.ci/run installs it)")
    if found is None:
        pytest.skip(f"no Chromium ({', '.join(NAMES)}) on the PATH; apt-get install chromium")
    return found


@dataclass
class Seen:
    """A page in the browser, with all that it asked for and complained of."""

    page: object
    requests: list = field(default_factory=list)
    complaints: list = field(default_factory=list)

    def open(self, path):
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())
        return self

    def focus(self):
        """Say what has the focus."""
        return self.page.evaluate(FOCUS)

    def walk(self):
        """Press Tab through the whole page, and say what had the focus each time."""
        found = []
        while True:
            self.page.keyboard.press("Tab")
            now = self.focus()
            if now["tag"] == "BODY" or (found and now["place"] == found[0]["place"]):
                return found
            found.append(now)

    def stops(self):
        """List the places of the visible elements that Tab has to reach."""
        return self.page.evaluate(STOPS)

    def accuse(self):
        """List what axe finds serious, with the elements."""
        found = Axe().run(self.page).response["violations"]
        return [
            (one["id"], [node["target"] for node in one["nodes"]], one["help"])
            for one in found
            if one["impact"] in SERIOUS
        ]
