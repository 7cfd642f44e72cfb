"""Metrics that count what a network is made of: baselines, which need neither weights nor inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsinas.metrics.base import Metric, Scored

if TYPE_CHECKING:
    from epsinas.metrics.subject import Subject


def counted(name: str, title: str, families: tuple[str, ...] = (), any_model: bool = False) -> Metric:
    """Make a metric of one of a network's counts, those of its family's `Counts`."""

    def score(subject: Subject, setting: str) -> Scored:
        return Scored(float(getattr(subject.counts, name)))

    return Metric(name, title, "a baseline", score, cost="nothing", families=families, any_model=any_model)
