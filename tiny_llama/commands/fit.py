"""`fit` fits a scaling law to the runs of an experiment, beside the IsoFLOP parabola."""

import argparse
import sys
from typing import Any

from tiny_llama.commands.command import Command, Options, count, place, say
from tiny_llama.commands.printing import print_json
from tiny_llama.commands.sign_of_life import sign_of_life
from tiny_llama.comparing.isoflop import IsoFlop, fit_parabolas
from tiny_llama.comparing.law import LawFit, Points, fit_law
from tiny_llama.comparing.plan import read_plan
from tiny_llama.comparing.results import read_points
from tiny_llama.errors import ConfigError

NUMBERS = ("e", "a", "b", "alpha", "beta", "size_exponent")
LEVEL = 0.9


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", type=place, help="an experiment's folder")
    parser.add_argument(
        "--resamples",
        type=count,
        default=200,
        help="how often the fit is done again for the intervals (200)",
    )
    parser.add_argument(
        "--predict",
        nargs=2,
        type=float,
        metavar=("N", "D"),
        help="predict the loss of a model of N multiplying parameters after D tokens",
    )


def _run(options: Options) -> None:
    plan = read_plan(options.dir)
    if plan.measure != "held_out_loss":
        raise ConfigError(
            f"A law is fitted to held-out losses, and this experiment measures {plan.measure}; "
            f"choose another."
        )
    points = read_points(options.dir, plan)
    with sign_of_life("Fitting the law and its intervals"):
        fit = fit_law(points, n_resamples=options.resamples)
    row = _law_row(fit) | _parabola_row(points)
    if options.predict:
        row["predicted"] = _prediction(fit, *options.predict)
    if options.json:
        print_json(row)
    else:
        _print(row, fit)


def _law_row(fit: LawFit) -> dict[str, Any]:
    """Give the law's numbers, their intervals, and what it leaves unexplained."""
    return {
        "n_runs": len(fit.points),
        **{name: getattr(fit.law, name) for name in NUMBERS},
        "intervals": {name: fit.interval(name, level=LEVEL) for name in NUMBERS},
        "level": LEVEL,
        "residual_sd": float(fit.residuals.std()),
        "residuals": [
            {"parameters": n, "tokens": d, "loss": loss, "residual": residual}
            for n, d, loss, residual in zip(
                fit.points.parameters.tolist(),
                fit.points.tokens.tolist(),
                fit.points.losses.tolist(),
                fit.residuals.tolist(),
                strict=True,
            )
        ],
    }


def _parabola_row(points: Points) -> dict[str, Any]:
    """Give the exponent of the parabolas, or why there is none."""
    try:
        found: IsoFlop = fit_parabolas(points)
    except ConfigError as error:
        return {"parabola_size_exponent": None, "parabola_note": str(error)}
    best = [{"flops": v.flops, "best_size": v.best_size} for v in found.valleys]
    return {"parabola_size_exponent": found.size_exponent, "parabola_valleys": best}


def _prediction(fit: LawFit, parameters: float, tokens: float) -> dict[str, float]:
    if not (parameters >= 1 and tokens >= 1):
        raise ConfigError(
            f"--predict {parameters:g} {tokens:g} must be two numbers of at least 1; correct it."
        )
    loss, low, high = fit.predict(parameters, tokens, level=LEVEL)
    return {"parameters": parameters, "tokens": tokens, "loss": loss, "low": low, "high": high}


_LABELS = {
    "e": "E, the floor",
    "a": "A, of size",
    "b": "B, of data",
    "alpha": "alpha, of size",
    "beta": "beta, of data",
    "size_exponent": "best size grows as compute to",
}


def _print(row: dict[str, Any], fit: LawFit) -> None:
    sys.stdout.write(
        f"L(N, D) = E + A / N^alpha + B / D^beta, from {row['n_runs']} runs; in brackets, where "
        f"{LEVEL:.0%} of the refits to runs drawn again lie\n"
    )
    for name in NUMBERS:
        low, high = fit.interval(name, level=LEVEL)
        sys.stdout.write(f"{_LABELS[name]:<32} {row[name]:>10.4g}  [{low:.4g} to {high:.4g}]\n")
    exponent = row["parabola_size_exponent"]
    if exponent is None:
        say(f"No parabola beside it: {row['parabola_note']}")
    else:
        sys.stdout.write(f"{'by IsoFLOP parabolas instead':<32} {exponent:>10.4g}\n")
    sys.stdout.write(f"{'residuals, standard deviation':<32} {row['residual_sd']:>10.4g}\n")
    if found := row.get("predicted"):
        sys.stdout.write(
            f"Predicted loss of {found['parameters']:,.0f} parameters after {found['tokens']:,.0f} "
            f"tokens: {found['loss']:.4f} [{found['low']:.4f} to {found['high']:.4f}]\n"
        )


FIT = Command(
    help="fit a scaling law to an experiment's runs", add_arguments=_add_arguments, run=_run
)
