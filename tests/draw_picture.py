"""Draws the README's picture: the Train page as it is now, while a model of the usual setup trains.

python tests/draw_picture.py
"""

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from app_in_browser import ROOT, Server, chromium, students
from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE = ROOT / "explorer" / "content" / "pictures" / "train.png"
STEP = 420
"""By which the curve has fallen and the model writes sentences."""
LONGEST = 900_000
"""Milliseconds that a slow machine may take for it."""


def main() -> None:
    """Train for so long, and keep what is on the screen."""
    with (
        TemporaryDirectory() as folder,
        Server(Path(folder)) as server,
        sync_playwright() as playwright,
        chromium(playwright) as browser,
        students(browser, server, "light and wide") as come,
    ):
        student = come("/train")
        student.train()
        student.page.set_default_timeout(LONGEST)
        student.see("Training", since=STEP)
        student.page.mouse.move(0, 0)
        shot = Image.open(BytesIO(student.page.screenshot()))
    shot.quantize(256).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
