import pytest
import torch

from tiny_llama import muon
from tiny_llama.muon import Muon, orthogonal

NUMBERS = {"lr": 0.02, "weight_decay": 0.3, "momentum": 0.9}
SHAPES = [(6, 10), (10, 6), (6, 10), (4, 4), (10, 6)]


def moved_by(build, n_steps=3):
    torch.manual_seed(0)
    matrices = [torch.randn(shape, requires_grad=True) for shape in SHAPES]
    optimizer = build(matrices)
    for _ in range(n_steps):
        for matrix in matrices:
            matrix.grad = torch.randn_like(matrix)
        optimizer.step()
    return matrices, optimizer


def pytorchs_own(matrices):
    return torch.optim.Muon(matrices, **NUMBERS, adjust_lr_fn="match_rms_adamw")


def test_it_moves_as_pytorchs_own_does(monkeypatch):
    monkeypatch.setattr(muon, "_number_type", lambda matrices: torch.bfloat16)
    ours, optimizer = moved_by(lambda matrices: Muon(matrices, **NUMBERS))
    theirs, their_optimizer = moved_by(pytorchs_own)
    torch.testing.assert_close(ours, theirs, rtol=2e-2, atol=2e-3)
    for mine, other in zip(ours, theirs, strict=True):
        assert optimizer.state[mine].keys() == their_optimizer.state[other].keys()


def test_a_matrix_without_a_gradient_stays():
    torch.manual_seed(0)
    still, moved = (torch.randn(3, 4, requires_grad=True) for _ in range(2))
    before = still.detach().clone()
    moved.grad = torch.randn(3, 4)
    Muon([still, moved], **NUMBERS).step()
    assert torch.equal(still, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(5, 20), (20, 5), (8, 8)], ids=str)
def test_singular_values_come_near_one_and_singular_vectors_stay(monkeypatch, shape, dtype):
    monkeypatch.setattr(muon, "_number_type", lambda matrices: dtype)
    torch.manual_seed(0)
    matrices = torch.randn(3, *shape)
    found = orthogonal(matrices)
    assert found.shape == matrices.shape
    assert found.dtype == torch.float32
    u, s, v = torch.linalg.svd(matrices, full_matrices=False)
    along = torch.diagonal(u.mT @ found @ v.mT, dim1=-2, dim2=-1)
    assert along[s > 0.1 * s.max()].min() > 0.5
    assert along.max() < 1.3
    across = found - u @ torch.diag_embed(along) @ v
    assert across.abs().max() < (1e-4 if dtype == torch.float32 else 3e-2)


def test_matrices_of_a_shape_go_together_as_each_would_alone():
    torch.manual_seed(0)
    matrices = torch.randn(4, 6, 9)
    alone = torch.cat([orthogonal(matrix[None]) for matrix in matrices])
    torch.testing.assert_close(orthogonal(matrices), alone, rtol=2e-2, atol=5e-3)


@pytest.mark.parametrize(
    ("has_it", "used", "dtype"),
    [
        (True, "AVX512", torch.bfloat16),
        (True, "AVX2", torch.float32),
        (False, "AVX512", torch.float32),
    ],
)
def test_half_the_digits_are_used_only_where_the_processor_is_quick_with_them(
    monkeypatch, has_it, used, dtype
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_it})
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: used)
    assert muon._number_type(torch.zeros(1, 2, 3)) == dtype
