"""What kind a head is, on patterns made by hand and against loops."""

import numpy as np
import pytest

from tiny_llama.analyses.roles import CLEAR, ROLES, best_role, role_scores, separators

IDS = np.array([5, 1, 2, 3, 1, 2, 3, 3])
N = len(IDS)
SEPARATES = np.array([False, True, False, False, False, True, False, False])


def rows(choose):
    """Build a pattern in which each reader reads from one source alone."""
    pattern = np.zeros((N, N))
    for reader in range(N):
        pattern[reader, choose(reader)] = 1
    return pattern


def last_copy(reader):
    copies = [source for source in range(reader) if IDS[source] == IDS[reader]]
    return copies[-1] if copies else reader


def after_first_copy(reader):
    copies = [source + 1 for source in range(reader - 1) if IDS[source] == IDS[reader]]
    return copies[0] if copies else reader


def last_separator(reader):
    return max((source for source in range(reader) if SEPARATES[source]), default=reader)


EVEN = np.tril(np.ones((N, N))) / np.arange(1, N + 1)[:, None]
BY_HAND = {
    "previous": rows(lambda reader: max(0, reader - 1)),
    "first": rows(lambda reader: 0),
    "separator": rows(last_separator),
    "same": rows(last_copy),
    "induction": rows(after_first_copy),
    "uniform": EVEN,
}


@pytest.mark.parametrize("role", list(ROLES))
def test_a_head_made_for_a_role_scores_1_on_it_and_is_called_by_it(role):
    scores = role_scores(BY_HAND[role], IDS, separates=SEPARATES)
    assert scores[list(ROLES).index(role)] == pytest.approx(1)
    assert best_role(scores) == role


def test_a_head_that_reads_only_itself_has_no_role():
    scores = role_scores(np.eye(N), IDS, separates=SEPARATES)
    np.testing.assert_allclose(scores, 0)
    assert best_role(scores) is None


def test_scores_of_a_random_pattern_are_those_of_a_loop():
    draw = np.random.default_rng(0)
    pattern = np.tril(draw.random((3, N, N)))
    pattern /= pattern.sum(-1, keepdims=True)
    found = role_scores(pattern, IDS, separates=SEPARATES)
    for head in range(3):
        previous, first, separator, same, induction, uniform = [], [], [], [], [], []
        for t in range(1, N):
            row = pattern[head, t]
            previous.append(row[t - 1])
            first.append(row[0])
            if found_before := [s for s in range(t) if SEPARATES[s]]:
                separator.append(sum(row[s] for s in found_before))
            if copies := [s for s in range(t) if IDS[s] == IDS[t]]:
                same.append(sum(row[s] for s in copies))
            if nexts := [s for s in range(1, t) if IDS[s - 1] == IDS[t]]:
                induction.append(sum(row[s] for s in nexts))
            uniform.append(-sum(p * np.log(p) for p in row[: t + 1]) / np.log(t + 1))
        every = (previous, first, separator, same, induction, uniform)
        expected = [np.mean(each) for each in every]
        np.testing.assert_allclose(found[head], expected)


def test_within_a_window_evenness_is_judged_by_what_can_be_read():
    window = 3
    pattern = np.zeros((N, N))
    for t in range(N):
        seen = range(max(0, t - window + 1), t + 1)
        pattern[t, list(seen)] = 1 / len(seen)
    assert role_scores(pattern, IDS, window)[-1] == pytest.approx(1)
    assert role_scores(pattern, IDS)[-1] < 0.9


def test_a_text_without_repeats_has_no_score_for_what_needs_them():
    scores = role_scores(EVEN, np.arange(N))
    assert np.isnan(scores[[3, 4]]).all()
    assert best_role(scores) == "uniform"
    assert np.isnan(role_scores(np.ones((1, 1)), np.arange(1))).all()


def test_what_has_neither_letter_nor_digit_separates():
    labels = [" the", ".", "\n", ' "', "7", "é", '!"', " ", "\ufffd", "<0xE2>"]
    assert separators(labels).tolist() == [
        False,
        True,
        True,
        True,
        *[False] * 2,
        True,
        True,
        *[False] * 2,
    ]


@pytest.mark.parametrize("separates", [None, np.arange(N) % 2 == 0, np.ones(N, dtype=bool)])
def test_where_all_or_half_of_the_tokens_separate_reading_them_is_no_role(separates):
    scores = role_scores(EVEN, IDS, separates=separates)
    assert np.isnan(scores[list(ROLES).index("separator")])
    assert best_role(scores) == "uniform"


def test_an_even_reader_is_never_called_by_separators():
    text = np.arange(30)
    even = np.tril(np.ones((30, 30))) / np.arange(1, 31)[:, None]
    for n in (1, 5, 10):
        marks = np.isin(text, np.arange(0, 30, 30 // n)[:n])
        scores = role_scores(even, text, separates=marks)
        assert scores[list(ROLES).index("separator")] < CLEAR
