"""A model of how much energy a house needs on a day: none but its base load when it is warm outside."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MODEL_FILE = Path(__file__).with_name("model.json")


@dataclass(frozen=True)
class Day:
    """One day: the mean temperature outside, and the energy that was used."""

    celsius: float
    kwh: float


@dataclass(frozen=True)
class Model:
    """A base load, and so much more for each degree below the comfortable temperature."""

    base_kwh: float
    kwh_per_degree: float
    comfort: float = 18.0

    def degrees(self, celsius: float) -> float:
        """Return how many degrees are missing."""
        return max(0.0, self.comfort - celsius)

    def predict(self, celsius: float) -> float:
        """Return the energy of a day with this temperature."""
        return self.base_kwh + self.kwh_per_degree * self.degrees(celsius)

    def error(self, days: Iterable[Day]) -> float:
        """Return the mean absolute error over some days."""
        misses = [abs(self.predict(day.celsius) - day.kwh) for day in days]
        return sum(misses) / len(misses)


def load_model(path: Path = MODEL_FILE) -> Model:
    """Read the model that is in use."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    return Model(facts["base_kwh"], facts["kwh_per_degree"], facts["comfort"])


def make_days(count: int, truth: Model, noise: float = 2.0) -> list[Day]:
    """Invent days of a year, from the global random generator."""
    days = []
    for _ in range(count):
        celsius = random.uniform(-8.0, 26.0)
        days.append(Day(celsius, truth.predict(celsius) + random.gauss(0.0, noise)))
    return days


def fit(days: Iterable[Day], comfort: float = 18.0) -> Model:
    """Find the base load and the slope by least squares."""
    shape = Model(0.0, 1.0, comfort)
    points = [(shape.degrees(day.celsius), day.kwh) for day in days]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    above = sum((x - mean_x) * (y - mean_y) for x, y in points)
    below = sum((x - mean_x) ** 2 for x, _ in points)
    slope = above / below
    return Model(mean_y - slope * mean_x, slope, comfort)
