"""How long runs take, by what their parts take, and durations in words."""

from tiny_llama.train_config import TrainConfig


def seconds_of_run(training: TrainConfig, *, step: float, look: float, sample: float) -> float:
    """Sum up what a run takes, by the seconds of a step, a look at held-out text and a sample."""
    n_looks = sum(training.evaluates_at(each) for each in range(training.steps + 1))
    n_samples = sum(training.samples_at(each) for each in range(training.steps + 1))
    return training.steps * step + n_looks * look + n_samples * sample


def in_words(seconds: float) -> str:
    """Say a time as people do."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
