"""How far a network and a larger one of its space, both with random weights, are from seeing the same (DisWOT).

Source: Dong, Li and Wei (2023), "DisWOT: Student Architecture Search for Distillation WithOut Training".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from epsinas.engines.watching import watched_pass
from epsinas.errors import InputError
from epsinas.metrics.activations import of_connected
from epsinas.metrics.base import LABELS, RANDOM_WEIGHTS, Metric, Scored
from epsinas.metrics.gradients import checked_labels

if TYPE_CHECKING:
    import torch

    from epsinas.metrics.subject import Subject


class Similarities(NamedTuple):
    """What a network's last maps and its classifier say is alike.

    Attributes:
        images: (N, N), the products of the images' last maps, each row of length 1.
        channels: (classes, C, C), for each class the products of the channels' gradients, each row of length 1.
    """

    images: torch.Tensor
    channels: torch.Tensor


def similarities(network: Any, images: torch.Tensor, labels: torch.Tensor) -> Similarities:
    """Return the matrices that two networks are compared by, float64.

    With F the maps before they are averaged over the image, flattened to (N, C * H * W), those of the images are the
    rows of F F' over their lengths. With g the gradient of the mean cross entropy by the classifier's weights, which is
    the mean over images of (p - y) f, p and y the predicted chance and the truth of a class and f the averaged maps,
    those of the channels are for each class the rows of g g' over their lengths (Grad-CAM's weights of the channels).

    Args:
        network: a `FullWidthNetwork`.
        images: (N, C, H, W).
        labels: int64 (N,).
    """
    import torch
    from torch.nn import functional

    seen: list[torch.Tensor] = []

    def watch(operation: str, arguments: tuple[Any, ...], output: Any) -> None:
        if operation == "global_avg_pool":
            seen.extend((arguments[0].flatten(1), output))

    with torch.no_grad():
        logits = watched_pass(network, images, watch).double()
        maps, averages = (one.double() for one in seen)
        truth = functional.one_hot(labels, logits.shape[1])
        gradient = (logits.softmax(dim=1) - truth).T @ averages / len(images)
        products = gradient[:, :, None] * gradient[:, None, :]
        return Similarities(functional.normalize(maps @ maps.T, dim=1), functional.normalize(products, dim=2))


def distance(teacher: Similarities, student: Similarities) -> float:
    """Return the distance of the images' matrices plus that of the channels', each a mean of squares.

    The first is the mean over the N * N entries, the second over the rows, as in the released code. Rows of g g' are
    sign(g) g' over the length of g, so that the second is 2 - 2 cos(g, h) times the mean sign of the channels' g h.

    Example:
        Two images that are alike, or not; the same channels.

        >>> import torch
        >>> channels = torch.ones(1, 1, 1)
        >>> alike = torch.ones(2, 2) / 2**0.5
        >>> round(distance(Similarities(torch.eye(2), channels), Similarities(alike, channels)), 4)
        0.2929
    """
    images = (teacher.images - student.images).square().mean()
    channels = (teacher.channels - student.channels).square().sum(dim=2).mean()
    return float(images + channels)


def _score(subject: Subject, setting: str) -> Scored:
    """Score by minus the distance to a teacher, whose architecture is the setting.

    Without one it is the space's `deepest` network. In the paper it is a larger network of its own kind, a ResNet for a
    small ResNet; of the same space, it has as many channels before the classifier, which the channels' matrices need.
    Its weights are drawn for it, so that the teacher's own architecture is a student like any other.
    """
    teacher = subject.conditions.reference(setting or _deepest(subject))
    return of_connected(lambda one: -distance(teacher.once(_of_teacher), _similarities(one, one.network)))(subject, "")


def _deepest(subject: Subject) -> str:
    found = getattr(subject.space, "deepest", None)
    if found is None:
        where = f"metric diswot: space {subject.space.name}"
        raise InputError(f"{where}: found no architecture `deepest`, expected one, the teacher's")
    return found


def _of_teacher(teacher: Subject) -> Similarities:
    from epsinas.engines.initialisation import default

    return _similarities(teacher, teacher.module(default(teacher.generator("weights of the teacher"))))


def _similarities(subject: Subject, network: torch.nn.Module) -> Similarities:
    import torch

    classes: int = subject.space.classes  # type: ignore[attr-defined]  # of a space of images
    labels = torch.from_numpy(checked_labels(subject, classes)).to(subject.tensor.device)
    return similarities(network, subject.tensor, labels)


METRIC = Metric(
    name="diswot",
    title="DisWOT",
    reference="Dong et al. (2023), arXiv 2303.15678",
    score=_score,
    needs=(RANDOM_WEIGHTS, LABELS),
    families=("images",),
)
