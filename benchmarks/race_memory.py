"""What server and worker hold while a race of two times three seeds goes on, live, and is watched.

    python benchmarks/race_memory.py

One tab starts the race with the limits of a shared container and follows it; another opens every
page with a model of the race. Printed is the most that both processes held together, beside the
690 MB that Community Cloud gives at least: all that is in memory, and of pages that they share with
others, also with other servers on this machine, only their part (PSS).
"""

import asyncio
import json
import os
from pathlib import Path

from app_server import ROOT, AppServer, proportional_megabytes, resident_megabytes
from streamlit_client import Tab

SEEDS, STEPS = 3, 300
SECONDS_A_PAGE = 4
GIVEN = 690


async def measure(app: AppServer) -> None:
    """Start the race, open every page beside it, and print what was held meanwhile."""
    racing = Tab(app.address, "compare", f"view=here&n_seeds={SEEDS}&race_steps={STEPS}")
    await racing.open()
    await racing.ledger.answered.wait()
    say("before the race", held(app))
    await racing.press("start_race")
    while not (runs := begun(app)) or len(runs) < 2 * SEEDS:
        await asyncio.sleep(1)
    say("the race alone", held(app))
    for page in sorted(path.stem for path in (ROOT / "pages").glob("*.py")):
        tab = Tab(app.address, page, f"run={runs[0]}")
        await tab.open()
        await tab.ledger.answered.wait()
        most = (0.0, 0.0)
        for _ in range(SECONDS_A_PAGE):
            await asyncio.sleep(1)
            most = max(most, held(app))
        await tab.close()
        say(page, most)
    await racing.close()


def say(what: str, held: tuple[float, float]) -> None:
    """Print what was held while something went on."""
    resident, proportional = held
    print(f"{what}: {resident:.0f} MB of {GIVEN} (PSS {proportional:.0f})", flush=True)


def held(app: AppServer) -> tuple[float, float]:
    """Say what the server and its workers hold together, in megabytes, and what by PSS."""
    processes = [app.pid, *app.workers]
    return sum(map(resident_megabytes, processes)), sum(map(proportional_megabytes, processes))


def begun(app: AppServer) -> list[str]:
    """List the ids of the race's runs that have been looked at once."""
    places = sorted(app.runs.glob("*/*/metrics.jsonl"))
    return [f"{path.parent.parent.name}.{path.parent.name}" for path in places if rows(path)]


def rows(path: Path) -> list[object]:
    """Read what a run has reported."""
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    os.environ["TINY_LLAMA_LIMITS"] = "shared"
    with AppServer() as app:
        asyncio.run(measure(app))
