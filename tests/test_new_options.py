"""An option that is added as README says works everywhere, and nothing else needs to know of it.

A copy of the project gets a made-up option in every slot, and what checks them runs in there:
`new_option_checks.py`, and those other tests that go through the menu.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest
from conftest import ROOT

CARD = """
This one is made up: it stands in the place of a real option to see whether whoever adds an option
the way that the README says finds it on every page, in every count and in every picture afterwards.

$$
y = x
$$

$x$: a token's vector.
"""


@dataclass(frozen=True, kw_only=True)
class MadeUp:
    """All that README asks of whoever adds an option."""

    slot: str
    file: str
    code: str
    line: str
    """In the menu, behind "made_up"."""
    formulas: dict[str, str] = field(default_factory=dict)
    piece: str = ""
    """In the table of what options put into a script; empty: it has none."""
    text: str = ""
    """The file that the piece names, under texts/."""


MADE_UP = [
    MadeUp(
        slot="norm",
        file="norms/made_up.py",
        code='''
            """A norm that learns gains and divides by nothing."""

            import torch
            from torch import Tensor, nn


            class Gain(nn.Module):
                """y = weight * x."""

                def __init__(self, width: int, eps: float) -> None:
                    super().__init__()
                    self.weight = nn.Parameter(torch.ones(width))

                def forward(self, x: Tensor) -> Tensor:
                    """Scale `... d`."""
                    return self.weight * x
        ''',
        line="""NormOption(
            where=f"{_NORMS}.made_up:Gain", title="Gains alone", n_vectors=1, n_statistics=0
        )""",
        formulas={"made_up": "g · x"},
        piece='_norm("made_up", "Gain")',
        text='''
            class Gain(nn.Module):
                """Scale each number."""

                def __init__(self, width: int) -> None:
                    super().__init__()
                    self.weight = nn.Parameter(torch.ones(width))

                def forward(self, x: Tensor) -> Tensor:
                    return self.weight * x
        ''',
    ),
    MadeUp(
        slot="position",
        file="positions/made_up.py",
        code='''
            """A rotary scheme that is no kind of RoPE: all pairs, of neighbours, turn as fast."""

            import torch
            from torch import Tensor

            from tiny_llama.parts.positions.base import Position


            class Carousel(Position):
                """Turns the pairs (2i, 2i + 1) by position / theta."""

                cos: Tensor
                sin: Tensor

                def prepare(self) -> None:
                    """Make tables of as many positions as any text has here."""
                    angle = torch.arange(4 * self.context)[:, None, None, None] / self.theta
                    self.register_buffer("cos", angle.cos(), persistent=False)
                    self.register_buffer("sin", angle.sin(), persistent=False)

                def rotate(self, q: Tensor, k: Tensor, start: int = 0) -> tuple[Tensor, Tensor]:
                    """Turn queries and keys `b h t e` by their positions."""
                    return self._turned(q, start), self._turned(k, start)

                def _turned(self, x: Tensor, start: int) -> Tensor:
                    there = slice(start, start + x.shape[2])
                    x = x.transpose(1, 2)
                    pairs = x[..., : self.d_turned].unflatten(-1, (-1, 2))
                    across = torch.stack([-pairs[..., 1], pairs[..., 0]], -1)
                    turned = pairs * self.cos[there] + across * self.sin[there]
                    still = x[..., self.d_turned :]
                    return torch.cat([turned.flatten(-2), still], -1).transpose(1, 2)
        ''',
        line="""PositionOption(
            where=f"{_POSITIONS}.made_up:Carousel", title="Carousel positions", turns=True
        )""",
        formulas={"made_up": "turn all pairs by position / θ"},
    ),
    MadeUp(
        slot="attention",
        file="attentions/made_up.py",
        code='''
            """Attention with a window in two layers of three, in a class of its own."""

            from tiny_llama.parts.attentions.attention import Attention


            class Waltzing(Attention):
                """Causal attention to the measure of a waltz."""
        ''',
        line="""AttentionOption(
            where=f"{_ATTENTIONS}.made_up:Waltzing", title="A waltz", pattern=(True, True, False)
        )""",
        formulas={"made_up": "softmax(q·k/√e) · v; every third layer sees all"},
    ),
    MadeUp(
        slot="feed_forward",
        file="feed_forwards/made_up.py",
        code='''
            """A gate that a sine opens and shuts."""

            from torch import Tensor

            from tiny_llama.parts.feed_forwards.gated import Gated


            class SineGLU(Gated):
                """The gate is sin(x)."""

                def activate(self, x: Tensor) -> Tensor:
                    """Apply the sine."""
                    return x.sin()
        ''',
        line="""FeedForwardOption(
            where=f"{_FEED_FORWARDS}.made_up:SineGLU",
            title="SineGLU",
            n_matrices=3,
            n_kept=4,
            activation="sine",
        )""",
        formulas={"made_up": "Wdown (sin(Wgate x) · Wup x)", "act_sine": "sin(z)"},
        piece='_gated("made_up", "torch.sin({})")',
    ),
]


def add(made: MadeUp, project: Path) -> None:
    """Do what README says, and no more."""
    (project / "tiny_llama" / "parts" / made.file).write_text(dedent(made.code).lstrip())
    add_line(project / "tiny_llama" / "menu.py", made.slot, made.line)
    content = project / "explorer" / "content"
    (content / "cards" / made.slot / "made_up.md").write_text(CARD)
    formulas = json.loads((content / "parts" / "formulas.json").read_text(encoding="utf-8"))
    formulas[made.slot] |= made.formulas
    (content / "parts" / "formulas.json").write_text(json.dumps(formulas), encoding="utf-8")
    if made.piece:
        add_line(project / "tiny_llama" / "script" / "pieces.py", made.slot, made.piece)
    if made.text:
        texts = project / "tiny_llama" / "script" / "texts"
        (texts / made.slot / "made_up.txt").write_text(dedent(made.text).lstrip())


def add_line(path: Path, slot: str, line: str) -> None:
    """Write an option at the end of its slot's table."""
    table = rf"(?ms)(^{slot.upper()}(?:: Mapping\[str, \w+\])? = {{\n.*?)(^}}\n)"
    text, n_found = re.subn(table, rf'\1    "made_up": {line},\n\2', path.read_text("utf-8"))
    assert n_found == 1
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Copy this project, with an option more in every slot."""
    copy = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__")
    for room in ("tiny_llama", "explorer", "pages", "tests"):
        shutil.copytree(ROOT / room, copy / room, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    for made in MADE_UP:
        add(made, copy)
    return copy


def run_tests(project: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def test_options_added_as_the_readme_says_work_everywhere(project):
    said = run_tests(project, "tests/new_option_checks.py")
    assert "skipped" not in said


@pytest.mark.slow
def test_tests_that_go_through_the_menu_pick_new_options_up(project):
    names = ("model", "training", "cost", "diagram", "block_diagram", "content", "source")
    said = run_tests(
        project, *(f"tests/test_{name}.py" for name in names), "-k", "made_up or drawn"
    )
    assert int(re.findall(r"(\d+) passed", said)[0]) >= 20
