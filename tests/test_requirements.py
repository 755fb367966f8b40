"""The lists of what the app runs on: one for everybody, and a copy for Community Cloud."""

import re
from urllib.parse import urlsplit

from conftest import ROOT

EVERYBODYS, CLOUDS = ROOT / "requirements.txt", ROOT / "explorer" / "requirements.txt"


def lines(path):
    text = path.read_text(encoding="utf-8").splitlines()
    return [line for line in text if line and not line.startswith("#")]


def options(found):
    return [line for line in found if line.startswith("-")]


def test_community_cloud_installs_what_everybody_does_but_for_pytorchs_build():
    everybodys, clouds = lines(EVERYBODYS), lines(CLOUDS)
    pinned = next(line for line in everybodys if line.startswith("torch=="))
    packages = [line for line in clouds if not line.startswith("--")]
    assert packages == [line.replace(pinned, f"{pinned}+cpu") for line in everybodys]


def test_of_another_index_only_the_page_of_pytorch_is_looked_at():
    """Keep uv from taking whatever else stands in a whole index, in old versions."""
    (found,) = [each for each in options(lines(CLOUDS)) if each != "-e ."]
    option, address = found.split()
    assert option == "--find-links"
    where = urlsplit(address)
    assert (where.scheme, where.netloc) == ("https", "download.pytorch.org")
    assert re.fullmatch(r"/whl/cpu/torch/", where.path)


def test_paths_in_the_list_count_from_the_root_where_it_is_installed():
    assert "-e ." in lines(CLOUDS)
    assert (ROOT / "pyproject.toml").is_file()
    assert not any(".." in line for line in lines(CLOUDS))
