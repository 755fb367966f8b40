"""The commands of `python -m tiny_llama`: train, sample, eval, cost, script, export and list."""

import argparse
import io
import json
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from threading import Event
from typing import Any, NoReturn

import torch
from tqdm import tqdm

from tiny_llama import cost
from tiny_llama.checkpoint import (
    find_corpus,
    load_model,
    new_trainer,
    prepare_corpus,
    resume_trainer,
    start_folder,
)
from tiny_llama.corpora import CORPORA, read_text_file
from tiny_llama.data import TokenizedText, all_windows
from tiny_llama.errors import ConfigError, UserError
from tiny_llama.generation import generate
from tiny_llama.hugging_face import write_hugging_face
from tiny_llama.menu import CHOICES, MENU, TRAINING_CHOICES
from tiny_llama.metrics import trim_metrics
from tiny_llama.presets import PRESETS, find_preset
from tiny_llama.recording import Recorder
from tiny_llama.sample_config import SampleConfig
from tiny_llama.script import USUAL_PRESET, write_script
from tiny_llama.setup import OWN_TEXT, Setup
from tiny_llama.tokenizers import TOKENIZERS
from tiny_llama.training import Trainer, evaluate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0, or 2 for a mistake that the user can mend."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may not know every character
    try:
        options = _parser().parse_args(arguments)
        torch.set_num_threads(options.threads)
        options.run(options)
    except UserError as error:
        return _refuse(str(error))
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        return _refuse(f"{error.filename or 'A file'} cannot be used ({error.strerror}).")
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
            raise
        return _refuse("There is not enough memory for this; take a smaller model or batch.")
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return STOPPED
    return 0


STOPPED = 130
"""The usual exit code of a program that was interrupted by hand."""


def _refuse(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 2


def _train(options: argparse.Namespace) -> None:
    trainer = _resumed_run(options) if options.resume else _new_run(options)
    recorder = Recorder(options.out, trainer)
    if not options.resume:
        recorder.checkpoint()
    show = _show_rows if options.json else _show_progress
    with _stop_between_steps() as stopped:
        try:
            show(trainer, recorder, stopped)
        except UserError:
            recorder.flush()
            raise
        is_done = trainer.next_step > trainer.config.steps
        recorder.checkpoint(with_memory=not (is_done and options.weights_only))
    if not is_done:
        sys.stderr.write(f"Stopped before step {trainer.next_step}; --resume goes on from there.\n")
        raise KeyboardInterrupt


@contextmanager
def _stop_between_steps() -> Iterator[Event]:
    """Let Ctrl-C wait for the step that is being done, since half a step cannot be resumed.

    A second Ctrl-C does not wait; the last checkpoint then stays as it is.
    """
    stopped = Event()

    def stop(*_: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def _new_run(options: argparse.Namespace) -> Trainer:
    if options.steps is None:
        raise ConfigError("train needs --steps N, the number of steps; add it.")
    setup = _setup(options)
    corpus = read_text_file(options.text) if options.text else find_corpus(setup.corpus)
    trainer = new_trainer(setup, prepare_corpus(setup, corpus))
    start_folder(options.out, setup, trainer, corpus)
    return trainer


def _resumed_run(options: argparse.Namespace) -> Trainer:
    given = {"--preset": options.preset, "--set": options.set, "--seed": options.seed}
    given |= {"--corpus": options.corpus, "--text": options.text}
    if wrong := [name for name, value in given.items() if value not in (None, [])]:
        raise ConfigError(
            f"--resume takes its settings from {options.out.name!r}; leave {', '.join(wrong)} out."
        )
    trainer = resume_trainer(options.out, steps=options.steps)
    trim_metrics(options.out, trainer.next_step)
    return trainer


def _setup(options: argparse.Namespace) -> Setup:
    """Put a setup together from the preset, then `--set`, then the options of their own."""
    if options.text and options.corpus:
        raise ConfigError("--corpus and --text cannot stand together; choose one.")
    values = _values(options.set)
    own = {"steps": options.steps, "seed": options.seed, "corpus": options.corpus}
    values |= {name: str(value) for name, value in own.items() if value is not None}
    if options.text:
        values["corpus"] = OWN_TEXT
    name = options.preset or USUAL_PRESET
    if not (preset := find_preset(name)).is_tiny:
        tiny = ", ".join(each for each, preset in PRESETS.items() if preset.is_tiny)
        raise ConfigError(f"preset={name!r} is for counting only; to train, choose {tiny}.")
    return Setup(model=preset.config).with_values(values)


def _show_rows(trainer: Trainer, recorder: Recorder, stopped: Event) -> None:
    for report in trainer:
        _write_json(recorder.keep(report))
        if stopped.is_set():
            return


def _show_progress(trainer: Trainer, recorder: Recorder, stopped: Event) -> None:
    total, done = trainer.config.steps, max(0, trainer.next_step - 1)
    with tqdm(total=total, initial=done, unit="step", mininterval=0.5) as bar:
        held_out = ""
        for report in trainer:
            row = recorder.keep(report)
            if report.held_out:
                held_out = f"held-out {report.held_out.loss:.3f}"
            if "loss" in row:
                bar.set_postfix_str(f"loss {row['loss']:.3f} {held_out}", refresh=False)
                bar.update()
            if report.sample:
                bar.write(f"--- after step {report.step}: {held_out}\n{report.sample}\n")
            if stopped.is_set():
                return


def _sample(options: argparse.Namespace) -> None:
    settings = SampleConfig(
        n_tokens=options.tokens,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        min_p=options.min_p,
        seed=options.seed,
    )
    found = load_model(options.dir)
    prompt = found.tokenizer.encode(options.prompt)
    written = []
    for next_token in generate(found.model, prompt, settings):
        written.append(next_token.token)
        if options.json:
            probability = float(next_token.probabilities[next_token.token])
            text = found.tokenizer.token_text(next_token.token)
            _write_json({"token": next_token.token, "text": text, "probability": probability})
    if not options.json:
        sys.stdout.write(found.tokenizer.decode([*prompt, *written]) + "\n")


def _eval(options: argparse.Namespace) -> None:
    found = load_model(options.dir)
    text = read_text_file(options.text)
    tokens = TokenizedText(text.name, text.text(), found.tokenizer)
    windows = all_windows(tokens.tokens, found.setup.model.context)
    held_out = evaluate(found.model, windows, tokens)
    row = {
        "n_tokens": len(tokens.tokens),
        "loss": held_out.loss,
        "perplexity": held_out.perplexity,
        "bits_per_byte": held_out.bits_per_byte,
    }
    _write_table(row, options.json)


def _cost(options: argparse.Namespace) -> None:
    setup = Setup(model=find_preset(options.preset).config).with_values(_values(options.set))
    config = setup.model
    if setup.vocab_size:
        config = replace(config, vocab_size=setup.vocab_size)
    memory = cost.training_memory(config, optimizer=setup.training.optimizer)
    row = {
        "preset": options.preset,
        "parameters": cost.count_parameters(config),
        **{f"{name}_parameters": n for name, n in cost.parameters_by_component(config).items()},
        "forward_flops_per_text": sum(cost.forward_flops(config, config.context).values()),
        "training_flops_per_text": cost.training_flops(config, config.context),
        "six_n_d_per_text": cost.six_n_d(config, config.context),
        **{f"{name}_bytes_fp32": n for name, n in asdict(memory).items()},
        "activation_bytes_per_text_fp32": cost.activation_bytes(
            config, batch_size=1, n_tokens=config.context
        ),
        "kv_cache_bytes_per_token_fp32": cost.kv_cache_bytes_per_token(config),
        "context": config.context,
    }
    _write_table(row, options.json)


def _script(options: argparse.Namespace) -> None:
    values = _values(options.set)
    if options.corpus:
        values["corpus"] = find_corpus(options.corpus).name
    setup = Setup(model=find_preset(options.preset).config).with_values(values)
    script = write_script(setup)
    if options.json:
        _write_json({"script": script})
    else:
        sys.stdout.write(script)


def _export(options: argparse.Namespace) -> None:
    found = load_model(options.dir)
    write_hugging_face(found.model, found.tokenizer, options.out)


def _list(options: argparse.Namespace) -> None:
    rows = {"presets": _preset_rows, "corpora": _corpus_rows, "menu": _menu_rows}[options.what]()
    for row in rows:
        if options.json:
            _write_json(row)
        else:
            sys.stdout.write("  ".join(f"{value!s:<18}" for value in row.values()).rstrip() + "\n")


def _preset_rows() -> Iterable[dict[str, Any]]:
    for name, preset in PRESETS.items():
        n_parameters = cost.count_parameters(preset.config)
        use = "train here" if preset.is_tiny else "count only"
        yield {"name": name, "parameters": f"{n_parameters:,}", "use": use, "title": preset.title}


def _corpus_rows() -> Iterable[dict[str, Any]]:
    for name, corpus in CORPORA.items():
        yield {"name": name, "description": corpus.description}


def _menu_rows() -> Iterable[dict[str, Any]]:
    for slot, options in MENU.items():
        for name, option in options.items():
            yield {"slot": slot, "name": name, "title": option.title}
    for slot, choices in (CHOICES | TRAINING_CHOICES).items():
        for name, title in choices.items():
            yield {"slot": slot, "name": name, "title": title}
    for name, tokenizer in TOKENIZERS.items():
        yield {"slot": "tokenizer", "name": name, "title": tokenizer.title}


def _values(assignments: Iterable[str]) -> dict[str, str]:
    """Read `--set field=value` words."""
    values = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment!r} must read field=value; write it so.")
        values[name.strip()] = value
    return values


def _write_table(row: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        _write_json(row)
        return
    for name, value in row.items():
        shown = f"{value:,}" if isinstance(value, int) else value
        shown = f"{value:.4f}" if isinstance(value, float) else shown
        sys.stdout.write(f"{name.replace('_', ' '):<32} {shown:>24}\n")


def _write_json(row: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    sys.stdout.flush()


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, as every other error here."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m tiny_llama", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    _add_train(commands.add_parser("train", help="train a model and keep it in a folder"))
    _add_sample(commands.add_parser("sample", help="let a trained model write"))
    _add_eval(commands.add_parser("eval", help="measure a trained model on a text"))
    _add_cost(commands.add_parser("cost", help="count parameters, FLOPs and memory"))
    _add_script(commands.add_parser("script", help="print a setup as one PyTorch script"))
    _add_export(commands.add_parser("export", help="write a model for other programs"))
    _add_list(commands.add_parser("list", help="show what can be chosen"))
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="one JSON object a line")
        command.add_argument("--threads", type=_threads, default=1, help="processor threads (1)")
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_train)
    parser.add_argument("--corpus", help="a name out of `list corpora` (tales)")
    parser.add_argument("--text", type=Path, help="a UTF-8 text file to train on instead")
    parser.add_argument("--preset", help=f"a name out of `list presets` ({USUAL_PRESET})")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument(
        "--steps",
        type=_count,
        help="steps in all; on --resume, another number than before changes the schedule",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    parser.add_argument("--seed", type=int, help="draws weights and data (0)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--weights-only", action="store_true", help="keep at the end only what using a model takes"
    )


def _add_sample(parser: argparse.ArgumentParser) -> None:
    usual = SampleConfig()
    parser.set_defaults(run=_sample)
    parser.add_argument("dir", type=Path, help="a run folder")
    parser.add_argument("--prompt", required=True, help="how the text begins")
    parser.add_argument("--tokens", type=int, default=usual.n_tokens)
    parser.add_argument("--temperature", type=float, default=usual.temperature)
    parser.add_argument("--top-k", type=int, default=usual.top_k)
    parser.add_argument("--top-p", type=float, default=usual.top_p)
    parser.add_argument("--min-p", type=float, default=usual.min_p)
    parser.add_argument("--seed", type=int, default=usual.seed)


def _add_eval(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_eval)
    parser.add_argument("dir", type=Path, help="a run folder")
    parser.add_argument("--text", type=Path, required=True, help="a UTF-8 text file")


def _add_cost(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_cost)
    parser.add_argument("preset", help="a name out of `list presets`")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")


def _add_script(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_script)
    parser.add_argument("--corpus", help="a name out of `list corpora` (tales)")
    parser.add_argument(
        "--preset", default=USUAL_PRESET, help=f"a name out of `list presets` ({USUAL_PRESET})"
    )
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_export)
    parser.add_argument("dir", type=Path, help="a run folder")
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--format", choices=["hf"], required=True)


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_list)
    parser.add_argument("what", choices=["presets", "corpora", "menu"])


def _count(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} must be at least 1")
    return number


def _threads(word: str) -> int:
    if (number := _count(word)) > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{word} must be at most {MOST_THREADS}")
    return number


MOST_THREADS = 1024


if __name__ == "__main__":
    sys.exit(main())
