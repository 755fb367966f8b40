"""How fast a whole training step is, beside Hugging Face's LLaMA, nanoGPT and the machine itself.

    python benchmarks/training_speed.py [--seconds 30] [--patience 600] [--threads 1,2] [--no-parts]

writes `training_speed.json` and the tables at the end of `README.md`, both beside this file, with a
record for each kind of processor, of which only this machine's is written anew. Where the time goes
(parts) only a quiet machine can tell. What a processor without AVX-512 would do, one with it tells
nearly:

    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python benchmarks/training_speed.py
"""

import argparse
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers
from contenders import (
    HUGGING_FACE,
    NANO_GPT,
    OURS,
    OURS_AS_GPT,
    SHAPES,
    Contender,
    Shape,
    contenders,
)
from measuring import matrix_product_peaks, median_ratio, take_turns
from where_time_goes import where_time_goes

HERE = Path(__file__).parent
MARK = "<!-- What follows is written by training_speed.py. -->\n"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one contender reached at one shape on some threads."""

    shape: str
    threads: int
    name: str
    n_parameters: int
    tokens_per_second: float
    """In the middle of all rounds."""
    best_tokens_per_second: float
    """In the quickest round."""
    share_of_peak: float
    """FLOPs of the step's matrix products, per second in the quickest round, of the peak's."""
    times_ours: float
    """How many times as long as ours it takes, in the middle of all rounds."""
    times_ours_as_gpt: float
    rounds: int


def main() -> None:
    """Measure everything, write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="of each shape and thread count")
    parser.add_argument("--patience", type=float, default=600, help="seconds to wait for quiet")
    parser.add_argument("--threads", default="1,2", help="numbers of threads, with commas")
    parser.add_argument("--parts", action=argparse.BooleanOptionalAction, default=True)
    chosen = parser.parse_args()
    peaks, rows, parts = {}, [], {}
    for threads in map(int, chosen.threads.split(",")):
        torch.set_num_threads(threads)
        peaks[str(threads)] = matrix_product_peaks()
        peak = max(peaks[str(threads)].values())
        print(f"{threads} threads: {peaks[str(threads)]} GFLOP/s", flush=True)
        for shape in SHAPES:
            everyone = list(contenders(shape))
            times = take_turns(
                {contender.name: contender.step for contender in everyone},
                seconds=chosen.seconds,
                patience=chosen.patience,
            )
            rows += rows_of(shape, everyone, threads, times, peak)
            print(*rows[-len(everyone) :], sep="\n", flush=True)
            if threads == 1 and chosen.parts:
                parts[shape.name] = where_time_goes(everyone[0].step, n_steps=20)
    found = {"recorded": setting(), "peaks": peaks, "parts": parts}
    write({**found, "rows": [asdict(row) for row in rows]})


def rows_of(
    shape: Shape,
    everyone: Sequence[Contender],
    threads: int,
    times: dict[str, list[float]],
    peak: float,
) -> list[Row]:
    """Say what the times tell of each contender."""
    return [
        Row(
            shape=shape.name,
            threads=threads,
            name=contender.name,
            n_parameters=contender.n_parameters,
            tokens_per_second=shape.n_tokens / median(times[contender.name]),
            best_tokens_per_second=shape.n_tokens / min(times[contender.name]),
            share_of_peak=contender.flops / min(times[contender.name]) / 1e9 / peak,
            times_ours=median_ratio(times[contender.name], times[OURS]),
            times_ours_as_gpt=median_ratio(times[contender.name], times[OURS_AS_GPT]),
            rounds=len(times[contender.name]),
        )
        for contender in everyone
    ]


def setting() -> dict[str, str]:
    """Say when and on what."""
    return {
        "date": date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, no GPU",
        "processor": processor(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def processor() -> str:
    """Give its name and generation, and the instructions that PyTorch uses of it."""
    name = str(torch.cpu.get_capabilities().get("cpu_name", platform.processor()))
    lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    facts = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    used = torch.backends.cpu.get_cpu_capability()
    held = " alone (held to it)" if "ATEN_CPU_CAPABILITY" in os.environ else ""
    return f"{name}, family {facts['cpu family']} model {facts['model']}, with {used}{held}"


def write(record: dict[str, Any]) -> None:
    """Save a record as JSON beside those of other processors; write all at the README's end."""
    file, readme = HERE / "training_speed.json", HERE / "README.md"
    records = {each["recorded"]["processor"]: each for each in json.loads(file.read_text())}
    records[record["recorded"]["processor"]] = record
    file.write_text(json.dumps(list(records.values()), indent=2) + "\n")
    prose = readme.read_text().partition(MARK)[0]
    sections = [section for each in records.values() for section in sections_of(each)]
    readme.write_text(prose + MARK + "\n" + "\n\n".join(sections) + "\n")


def sections_of(record: dict[str, Any]) -> list[str]:
    """Give what the README says of one processor."""
    rows = [Row(**row) for row in record["rows"]]
    tables = [table(shape, rows) for shape in SHAPES]
    return [headline(record), *tables, *([time_table(record)] if record["parts"] else [])]


def headline(record: dict[str, Any]) -> str:
    """Say when, on what, and what the machine can do at most."""
    made = record["recorded"]
    peaks = "; ".join(
        f"on {threads} thread{'s' * (threads != '1')} {best['oneDNN']:.0f} by oneDNN and "
        f"{best['MKL']:.0f} by MKL"
        for threads, best in record["peaks"].items()
    )
    return (
        f"## {made['processor']}\n\n"
        f"Recorded on {made['date']} on {made['machine']} (shared with other work), with Python "
        f"{made['python']}, PyTorch {made['torch']} and transformers {made['transformers']}. "
        f"Largest speed of big float32 matrix products, in GFLOP/s: {peaks}."
    )


def table(shape: Shape, rows: Sequence[Row]) -> str:
    """Draw up one shape's contenders, on every number of threads."""
    config = shape.config
    at = {(row.name, row.threads): row for row in rows if row.shape == shape.name}
    numbers = sorted({threads for _, threads in at})
    columns = [f"tokens/s, {t} thr. | × ours | of peak" for t in numbers]
    lines = [
        f"### {shape.name}: width {config.d_model}, {config.n_layers} layers, {config.n_heads} "
        f"heads, {shape.batch_size} texts of {config.context} tokens",
        "",
        "| | parameters | " + " | ".join(columns) + " |",
        "| --- | ---: |" + " ---: | ---: | ---: |" * len(numbers),
    ]
    for name in dict.fromkeys(name for name, _ in at):
        cells = " | ".join(
            f"{at[name, t].tokens_per_second:,.0f} | {1 / at[name, t].times_ours:.2f} | "
            f"{at[name, t].share_of_peak:.0%}"
            for t in numbers
        )
        lines.append(f"| {name} | {at[name, 1].n_parameters:,} | {cells} |")
    gains = [
        f"{at[HUGGING_FACE, t].times_ours:.2f} times as fast as Hugging Face, "
        f"{at[NANO_GPT, t].times_ours:.2f} times as fast as nanoGPT "
        f"(as a GPT {at[NANO_GPT, t].times_ours_as_gpt:.2f} times)"
        for t in numbers
    ]
    said = (f"{gain} on {t} thread{'s' * (t > 1)}" for gain, t in zip(gains, numbers, strict=True))
    return "\n".join([*lines, "", f"Ours is {', and '.join(said)}."])


def time_table(record: dict[str, Any]) -> str:
    """Say which part of ours takes which share of a step, by shape."""
    parts = record["parts"]
    totals = {shape: sum(times.values()) for shape, times in parts.items()}
    lines = [
        "### Where the time of ours goes, on one thread",
        "",
        "| | " + " | ".join(parts) + " |",
        "| --- |" + " ---: |" * len(parts),
    ]
    for part in next(iter(parts.values())):
        shares = [f"{times[part] / totals[shape]:.1%}" for shape, times in parts.items()]
        lines.append(f"| {part} | " + " | ".join(shares) + " |")
    milliseconds = " | ".join(f"{total:.1f} ms" for total in totals.values())
    return "\n".join([*lines, f"| a step under the profiler | {milliseconds} |"])


if __name__ == "__main__":
    main()
